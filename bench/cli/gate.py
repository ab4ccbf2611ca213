"""The commands around `bench compare`: baseline, history and doctor (this machine's noise)."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from samplerbench.cli.run_path import RunPath
from samplerbench.sweep.options import Sweep

if TYPE_CHECKING:
    from samplerbench.store.place import Place

# Modules that take long to import are imported by the commands that use them.

device_option = click.option(
    "--device", default="auto", show_default=True, help=Sweep.__dataclass_fields__["device"].metadata["help"]
)


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=RunPath())
@click.option("--output", type=click.Path(path_type=Path), default="results/history", show_default=True, metavar="DIR")
def history(runs: "tuple[Place, ...]", output: Path) -> None:
    """Append each RUN to the metrics over commits, plot every cell, and list the steps.

    \b
    bench history results/runs/digits-1a2b3c4d
    """
    from samplerbench.regression.history import append

    for step in append(output, runs):
        click.echo(step)
    click.echo(output / "history.md")


@click.command()
@device_option
@click.option("--runs", type=click.IntRange(3, 100), default=8, show_default=True, help="Runs of the same code.")
@click.option("--batch-size", type=click.IntRange(1), default=256, show_default=True, help="Images at a time.")
def doctor(device: str, runs: int, batch_size: int) -> None:
    """Measure this machine: its environment, its noise between equal runs, the smallest slowdown it can detect.

    \b
    bench doctor
    """
    from samplerbench.regression.doctor import examine
    from samplerbench.regression.doctor_report import report

    click.echo(report(examine(device, runs, batch_size), device))


@click.group()
def baseline() -> None:
    """The committed results that later runs are compared with."""


@baseline.command()
@click.argument("run", metavar="RUN", type=RunPath())
@click.option("--reason", required=True, metavar="TEXT", help="Why the results may change; kept beside them.")
@click.option("--output", type=click.Path(path_type=Path), default="results/baseline", show_default=True, metavar="DIR")
def update(run: "Place", reason: str, output: Path) -> None:
    """Make the results of the run directory RUN the baseline.

    \b
    bench baseline update results/runs/digits-1a2b3c4d --reason "flow trained longer"
    """
    from samplerbench.regression.baseline import update as write

    click.echo(write(run, output, reason))
