"""`bench list`."""

import sys
from shutil import get_terminal_size

import click

KINDS = [
    "methods", "recipes", "datasets", "grids", "guidances", "metrics", "encoders", "models", "conditions", "families",
    "presets", "suites",
]  # fmt: skip


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
def list_(kind: str | None) -> None:
    """List the names to use on the command line, of one KIND or of all.

    \b
    bench list methods
    """
    from samplerbench.cli.catalogue import catalogue  # torch takes seconds to import

    width = get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo("\n\n".join(catalogue([kind] if kind else KINDS, width)))
