"""This suite and its peers, measured side by side in one process.

    python results/performance/peers [SECTION]... [--quick]

Peers are an extra: pip install 'samplerbench[peers]', and for k-diffusion, whose dependencies pin numpy below 2 but
whose samplers do not need it, pip install --no-deps k-diffusion. Those that are absent are left out.
Leave the machine alone while it runs.
"""

import sys
from dataclasses import replace
from pathlib import Path

import click
from availability import installed, versions

from samplerbench.errors import InputError  # before torch, whose threads samplerbench keeps from spinning

HERE = Path(__file__).parent.parent
NAMES = ("forward", "sampler", "images", "compiled", "distance", "memory")
DTYPES = ("float32", "bfloat16")


@click.command()
@click.argument("names", metavar="[SECTION]...", nargs=-1, type=click.Choice(NAMES))
@click.option(
    "--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps; auto: a GPU if there is one."
)
@click.option("--dtype", type=click.Choice(DTYPES), default="float32", show_default=True, help="Of the networks.")
@click.option("--budget", type=click.FloatRange(min=0), default=6.0, show_default=True,
              help="Seconds after which no further round of a comparison begins; four are timed anyway.")  # fmt: skip
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), default=HERE,
              help="Where to write peers.csv, peers.md and peers.svg.  [default: results/performance]")  # fmt: skip
@click.option("--quick", is_flag=True, help="A smoke run, whose numbers mean nothing; it needs --output.")
def main(names: tuple[str, ...], device: str, dtype: str, budget: float, output: Path, quick: bool) -> None:
    """Compare this suite with its peers, in all sections or in some.

    \b
    python results/performance/peers
    python results/performance/peers forward images --device cuda --dtype bfloat16 --output gpu
    """
    if quick and output == HERE:
        raise click.UsageError("--quick writes no results: name another folder with --output.")
    # They import torch and all of matplotlib, which --help does not need.
    from comparison import Effort
    from report import write
    from sections import Request, rows

    from samplerbench.networks.devices import DTYPES, pick_device
    from samplerbench.store.provenance import commit, environment, utc_now

    try:
        chosen = pick_device(device)
        output.mkdir(parents=True, exist_ok=True)
    except (InputError, OSError) as error:
        raise click.UsageError(str(error)) from error
    request = Request(chosen, DTYPES[dtype], installed(), Effort(budget))
    if quick:
        request = replace(
            request, effort=Effort(0, least=2), data=("digits",), batches=(2,), steps=(2,), sampler_steps=3,
            shapes=((1, 1, 8, 8),), features=(200, 64), counts=(256, 512),
        )  # fmt: skip
    found: list[dict] = []
    machine = environment(chosen)
    facts = {
        **{name: str(machine[name]) for name in ("device", "cores", "threads", "platform", "python")},
        "dtype": dtype,
        "versions": ", ".join(f"{name} {version}" for name, version in
                              (machine["packages"] | versions(request.peers)).items()),
        "commit": f"{commit()}, {utc_now()}",
    }  # fmt: skip
    for name in names or NAMES:
        for row in rows(name, request):
            found.append(row)
            click.echo(_line(row), err=True)
        if found:
            write(found, facts, output)
    if not found:
        click.echo("No peer of these sections is installed: pip install 'samplerbench[peers]'.", err=True)
        sys.exit(2)
    click.echo(f"{output / 'peers.md'}, peers.csv and peers.svg", err=True)


def _line(row: dict) -> str:
    numbers = " ".join(f"{key} {row[key]:g}" for key in ("batch", "steps", "ratio", "rounds") if row.get(key))
    return f"{row['section']}: {row['work']}, {row['peer']}: {numbers}"


if __name__ == "__main__":
    main()
