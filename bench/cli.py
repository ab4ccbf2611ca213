"""The command line: it parses and prints, and leaves the work to the other modules."""

from contextlib import contextmanager
from pathlib import Path

import click

# torch takes seconds to import: the modules that need it are imported by the commands that run them.


@contextmanager
def _mistakes_as_usage_errors():
    """A user's mistake becomes one sentence and exit code 2."""
    from bench.errors import InputError
    from methods import SpecError
    from models import CheckpointError

    try:
        yield
    except (InputError, SpecError, CheckpointError) as error:
        raise click.UsageError(" ".join(str(error).split())) from error


device_option = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
weights_option = click.option("--weights", metavar="DIR", help="Own checkpoints, tried first.  [default: checkpoints]")
data_root_option = click.option("--data-root", metavar="DIR", help="Where data sets lie.  [default: data]")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="flowbench")
def main() -> None:
    """Measure few-step generative samplers: counted evaluations, FID with its floor, honest timing.

    \b
    bench run                                    the default sweep, on embedded data and shipped weights
    bench run --methods ddim,flow --steps 10,50
    """


@main.command("run")
@click.option("--methods", metavar="SPECS", help="As in ddim[eta=0.5],flow.  [default: ddpm,ddim,pf_ode,flow]")
@click.option("--steps", metavar="N,...", help="Intervals of the time grid, one or several counts.  [default: 10,50]")
@click.option("--nfe", metavar="N,...", help="Instead of --steps: at most this many network evaluations per image.")
@click.option("--dataset", metavar="NAME", help="What the networks were trained on.  [default: digits]")
@click.option("--recipe", metavar="NAME", help="Run every method on this recipe's checkpoint instead of its own.")
@click.option("--grid", metavar="NAME", help="Time grid for all, as in karras[rho=5].  [default: each method's own]")
@click.option("--samples", type=int, metavar="N", help="Images per cell and seed block.  [default: 1000]")
@click.option("--seeds", metavar="K,...", help="Seed blocks, as in 0-4; several give an interval.  [default: 0]")
@click.option("--batch-size", type=int, default=256, show_default=True, metavar="N", help="Images at a time.")
@click.option("--metrics", metavar="NAMES", help="Figures of quality.  [default: fid,novelty]")
@device_option
@click.option("--dtype", default="float32", show_default=True, help="Of the network: float32, bfloat16, float16.")
@click.option("--compile", is_flag=True, help="Run the network through torch.compile.")
@click.option("--output", metavar="DIR", help="Run directory.  [default: the same for the same command]")
@click.option("--no-timing", "timing", flag_value=False, default=True, help="Leave out the speed.")
@click.option("--no-quality", "quality", flag_value=False, default=True, help="Leave out the quality.")
@click.option("--preset", metavar="NAME", help="With --no-quality: time a random network of this size, as in cifar10.")
@weights_option
@data_root_option
@click.option("--download", is_flag=True, help="Allow fetching the data set and Inception's weights.")
@click.pass_context
def run(context: click.Context, **options: object) -> None:
    """Sweep methods over step counts; write results.csv and report.md as cells finish.

    The same command resumes where it was stopped. Exit codes: 0 all cells measured, 1 a cell failed, 2 wrong input.

    \b
    bench run --methods ddim,flow --steps 10,50
    bench run --methods ddim,flow,pf_ode[solver=heun] --nfe 10,20 --seeds 0-4
    bench run --preset cifar10 --no-quality --batch-size 8 --steps 5
    """
    with _mistakes_as_usage_errors():
        from bench.plan import Sweep
        from bench.progress import show
        from bench.runner import Session

        session = Session(Sweep(**{name: value for name, value in options.items() if value is not None}))
    interrupted = show(session)
    _print_results(session.store.folder)
    if interrupted:
        click.echo(
            f"Interrupted: the cells above are kept in {session.store.folder}; the same command goes on.", err=True
        )
        context.exit(130)
    context.exit(int((session.store.frame()["status"] == "failed").any()))


@main.command()
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("current", type=click.Path(path_type=Path))
@click.option("--fail-on", multiple=True, metavar="FIELD:THRESHOLD", help="As in fid:2%; may be given several times.")
@click.option("--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
@click.option("--strict", is_flag=True, help="Exit with 4 where a figure is too uncertain to judge.")
@click.pass_context
def compare(context: click.Context, baseline: Path, current: Path, fail_on: tuple[str, ...], form: str, strict: bool):
    """Say what got worse from BASELINE to CURRENT, each a run directory or a CSV.

    Evaluations and FLOPs must not rise; FID is judged by its paired differences per seed block, speed by the overhead
    ratio of the timed rounds. Exit codes: 0 nothing worse, 1 a regression, 2 wrong input, 3 not comparable, 4 strict.

    \b
    bench compare results/baseline results/runs/digits-1a2b3c4d --fail-on fid:5% --format markdown
    """
    with _mistakes_as_usage_errors():
        from bench import compare as comparison

        rules = comparison.merge_rules(fail_on)
        try:
            verdicts = comparison.compare(*comparison.read_both(baseline, current), rules)
        except comparison.NotComparable as error:
            click.echo(f"Error: {error}", err=True)
            context.exit(3)
    click.echo(comparison.render(verdicts, form))
    context.exit(comparison.exit_code(verdicts, strict))


@main.group()
def baseline() -> None:
    """The committed figures that later runs are compared with."""


@baseline.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--reason", required=True, metavar="TEXT", help="Why the figures may change; kept beside them.")
@click.option("--output", type=click.Path(path_type=Path), default="results/baseline", show_default=True, metavar="DIR")
def update(run: Path, reason: str, output: Path) -> None:
    """Make the results of the run directory RUN the baseline.

    \b
    bench baseline update results/runs/digits-1a2b3c4d --reason "flow trained longer"
    """
    with _mistakes_as_usage_errors():
        from bench.baseline import update as write

        click.echo(write(run, output, reason))


@main.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
def report(run: Path) -> None:
    """Write report.md, report.html and the pictures of the run directory RUN again, from its results.csv.

    \b
    bench report results/runs/digits-1a2b3c4d
    """
    with _mistakes_as_usage_errors():
        from bench import report

        report.write(run)
    _print_results(run)


@main.command()
@click.argument("method", metavar="METHOD")
@click.option("--steps", type=click.IntRange(1), help="Intervals of the time grid.  [default: 10; none if adaptive]")
@click.option("--count", type=click.IntRange(1, 4096), default=64, show_default=True, help="Images to draw.")
@click.option("--output", type=click.Path(path_type=Path), default="samples.png", show_default=True, help="PNG file.")
@click.option("--seed", type=click.IntRange(0, 4095), default=0, show_default=True, help="Seed block of the noise.")
@click.option("--dataset", default="digits", show_default=True, metavar="NAME", help="What it was trained on.")
@click.option("--recipe", metavar="NAME", help="Run on this recipe's checkpoint instead of the method's own.")
@click.option("--grid", metavar="NAME", help="Time grid.  [default: the method's own]")
@device_option
@weights_option
def sample(method: str, output: Path, **options: object) -> None:
    """Draw images with METHOD and write them into one picture.

    \b
    bench sample ddim[eta=0.5] --steps 10 --count 64 --output grid.png
    """
    with _mistakes_as_usage_errors():
        from bench.sampling import draw_images

        evaluations = draw_images(method, output, **options)
    click.echo(f"{output}: {options['count']} images, {evaluations:g} network evaluations each")


@main.command()
@click.argument("recipe", metavar="RECIPE")
@click.option("--dataset", default="digits", show_default=True, metavar="NAME", help="What to train on.")
@click.option("--iterations", type=click.IntRange(1), default=5_000, show_default=True, help="Optimiser steps.")
@click.option("--batch-size", type=click.IntRange(1), default=128, show_default=True, help="Images a step.")
@click.option("--learning-rate", type=click.FloatRange(0, 1), default=1e-3, show_default=True, help="Its peak.")
@click.option("--ema-decay", type=click.FloatRange(0, 1), default=0.999, show_default=True, help="Of the average.")
@click.option("--seed", type=click.IntRange(0, 255), default=0, show_default=True, help="Of all that is random.")
@click.option("--output", metavar="DIR", help="Write DIR/DATASET/RECIPE.safetensors.  [default: checkpoints]")
@click.option("--half", is_flag=True, help="Store the weights as float16: half the size.")
@device_option
@data_root_option
@click.option("--download", is_flag=True, help="Allow fetching the data set.")
@click.pass_context
def train(context: click.Context, recipe: str, **options: object) -> None:
    """Train the network of RECIPE; `digits-cnn` trains the classifier whose features measure quality on the digits.

    A training that was stopped goes on from its last save when the same command is given again.

    \b
    bench train flow --dataset digits
    bench train ddpm --iterations 20000 --seed 1
    """
    with _mistakes_as_usage_errors():
        from bench.progress import show_training
        from bench.train import plan_training

        training = plan_training(recipe, **options)
        interrupted = show_training(training)
    if interrupted:
        click.echo(f"Interrupted: the state is in {training.output.parent}; the same command goes on.", err=True)
        context.exit(130)
    click.echo(f"{training.output}: trained for {training.settings.iterations} iterations")


@main.command("list")
@click.argument("kind", type=click.Choice(["methods", "recipes", "datasets", "grids", "metrics"]), required=False)
def list_(kind: str | None) -> None:
    """List what can be named on the command line, of one KIND or of all.

    \b
    bench list methods
    """
    from bench.listing import listing

    click.echo(listing(kind))


def _print_results(folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bench.report import caution
    from bench.store import read_facts, read_results
    from bench.table import alignment, table

    facts = read_facts(folder)
    text = table(read_results(folder), facts).drop(columns=["images/s", "peak (MB)"], errors="ignore")
    printed = Table(box=None, pad_edge=False)
    for column in text.columns:
        printed.add_column(Text(column), justify=alignment(column), no_wrap=column == "method")
    for row in text.itertuples(index=False):
        printed.add_row(*map(Text, row))
    Console(width=None if Console().is_terminal else 160).print(printed)
    if caution(facts):
        click.echo(f"\n{caution(facts)}")
    click.echo(f"\nReport: {folder / 'report.md'}")
