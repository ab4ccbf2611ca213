"""`bench selftest`."""

from pathlib import Path

import click
from click.core import ParameterSource

from samplerbench.cli.gate import device_option
from samplerbench.cli.measuring import terminable
from samplerbench.errors import InputError

# Modules that take long to import are imported by the commands that use them.

OF_CRASH = ("kills", "training_kills", "workers", "output")  # options that have no effect without --crash


@click.command()
@click.option("--trials", type=click.IntRange(1, 500), default=3, show_default=True, help="Each takes about a minute.")
@device_option
@click.option(
    "--crash", is_flag=True, help="Instead, kill, starve and damage runs, which must then end with the same rows."
)
@click.option("--kills", type=click.IntRange(1), default=100, show_default=True, help="Of the sweep.")
@click.option("--training-kills", type=click.IntRange(0), default=30, show_default=True, help="Of a training.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="As for `bench run`.")
@click.option(
    "--output", type=click.Path(path_type=Path), default="results/scale", show_default=True, metavar="DIR",
    help="Where crash.md and crash.csv go.",
)  # fmt: skip
@click.pass_context
def selftest(
    context: click.Context, trials: int, device: str, crash: bool, kills: int, training_kills: int, workers: int,
    output: Path,
) -> None:  # fmt: skip
    """Put known faults into a sampler and count how often the gate fires; equal code must not make it fire.

    With --crash, crash runs at random moments and repeat their command. Exit code 1 if anything differs.

    \b
    bench selftest --trials 30
    bench selftest --crash --workers 2
    """
    unused, where = (("trials",), "with") if crash else (OF_CRASH, "without")
    for name in unused:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise InputError(f"--{name.replace('_', '-')} has no effect {where} --crash: leave it out.")
    if crash:
        context.exit(_crash(kills, training_kills, workers, device, output))
    _faulty_samplers(trials, device)


def _faulty_samplers(trials: int, device: str) -> None:
    from samplerbench.regression.selftest import as_markdown
    from samplerbench.regression.selftest import selftest as run_trials

    for outcomes in run_trials(trials, device):
        counts = ", ".join(f"{each.fired}/{each.trials}" for each in outcomes)
        click.echo(f"trial {outcomes[0].trials} of {trials}: {counts}", err=True)
    click.echo(as_markdown(outcomes))


def _crash(kills: int, training_kills: int, workers: int, device: str, output: Path) -> int:
    """Run the campaign and write its tables; returns the exit code."""
    from samplerbench.regression.crash.campaign import campaign
    from samplerbench.regression.crash.outcome import Outcome
    from samplerbench.regression.crash.report import as_markdown, write
    from samplerbench.sweep.command import own_command

    found: dict[str, Outcome] = {}
    with terminable():  # else a SIGTERM would leave runs and mounts behind
        for outcome in campaign(kills, training_kills, workers, device):
            found[outcome.fault] = outcome
            click.echo(outcome, err=True)
            written = write(output, [*found.values()], own_command("samplerbench.selftest"))  # kept if interrupted
    click.echo(as_markdown([*found.values()]))
    click.echo(written)
    return int(any(each.differs for each in found.values()))
