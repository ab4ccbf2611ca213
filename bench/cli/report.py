"""`bench report`."""

from typing import TYPE_CHECKING

import click

from samplerbench.cli.run_path import RunPath
from samplerbench.errors import InputError

if TYPE_CHECKING:
    from samplerbench.store.place import Place
    from samplerbench.store.results import Results

# pandas and matplotlib take most of a second to import: only when the command runs.


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=RunPath())
@click.option(
    "--output",
    type=RunPath(),
    metavar="DIR",
    help="Where it goes.  [default: into the run; of several runs results/report]",
)
@click.option("--mixed", is_flag=True, help="Allow runs under different protocols, each ranked by itself.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "html", "markdown", "latex"]),
    default="text",
    show_default=True,
    help="text, html: write the report, and print the table or the file's name. markdown, latex: print the table, and "
    "write nothing.",
)
@click.option(
    "--columns",
    metavar="NAMES",
    help="Headings to print, as in method,nfe,fid, instead of those that fit; not with --format html.",
)
def report(runs: "tuple[Place, ...]", output: "Place | None", mixed: bool, form: str, columns: str | None) -> None:
    """Write report.md, report.html and the pictures of a run directory RUN again, from its rows.

    RUN is a folder or a URL such as s3://bucket/run, and so is DIR.

    Several runs make one report, with their rows in one table; runs under different protocols are refused, with exit
    code 3, unless --mixed is given.

    \b
    bench report results/runs/digits-1a2b3c4d
    bench report results/runs/digits-1a2b3c4d results/runs/digits-5e6f7a8b --output results/both
    bench report results/array/shard-* --output results/whole
    bench report results/runs/digits-1a2b3c4d --format latex > table.tex
    """
    if columns and form == "html":
        raise InputError("report.html holds all columns: leave out --columns.")
    from samplerbench.report.lead import led
    from samplerbench.sweep.shard import absent

    for sentence in absent(runs) if len(runs) > 1 else ():
        click.echo(sentence, err=True)
    results = led(_results(runs, output, mixed, stored=form in ("text", "html")))
    if form == "latex":
        from samplerbench.report.latex import latex

        click.echo(latex(results, columns), nl=False)
    elif form == "markdown":
        from samplerbench.report import markdown
        from samplerbench.report.table import chosen, table

        shown = table(results)
        click.echo(markdown.table(chosen(shown, columns) if columns else shown))
    else:
        from samplerbench.cli.results import print_results
        from samplerbench.report.write import write_results

        written = write_results(results)
        if form == "html":
            click.echo(written.with_suffix(".html"))
        else:
            print_results(results, columns)
            click.echo(f"\nReport: {written}, {written.with_suffix('.html')}")


def _results(runs: "tuple[Place, ...]", output: "Place | None", mixed: bool, stored: bool) -> "Results":
    """The results of one run, or those of several merged ones, which are also written if they are `stored`."""
    if len(runs) == 1 and output is None:
        from samplerbench.store.results import load

        return load(runs[0])
    from samplerbench.store import merge

    results = merge.merge(runs, output or merge.DEFAULT_OUTPUT, mixed)
    if stored:
        merge.write(results, runs, mixed)
    return results
