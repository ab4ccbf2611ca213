"""The command line: it parses and prints, and leaves the work to the other modules."""

from contextlib import contextmanager
from pathlib import Path

import click

# torch takes seconds to import: the modules that need it are imported by the commands that run them.


@contextmanager
def _mistakes_as_usage_errors():
    """A user's mistake becomes one sentence and exit code 2."""
    from samplerbench.errors import InputError
    from samplerbench.methods import SpecError
    from samplerbench.models import CheckpointError

    try:
        yield
    except (InputError, SpecError, CheckpointError) as error:
        raise click.UsageError(" ".join(str(error).split())) from error


device_option = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
weights_option = click.option("--weights", metavar="DIR", help="Own checkpoints, tried first.  [default: checkpoints]")
data_root_option = click.option("--data-root", metavar="DIR", help="Where data sets lie.  [default: data]")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="samplerbench")
def main() -> None:
    """Measure few-step generative samplers: counted evaluations, FID with its floor, honest timing.

    \b
    bench run                                    the default sweep, on embedded data and shipped weights
    bench run --methods ddim,flow --steps 10,50
    """


@main.command("run")
@click.option("--methods", metavar="SPECS", help="As in ddim[eta=0.5],flow, or all.  [default: ddpm,ddim,pf_ode,flow]")
@click.option("--steps", metavar="N,...", help="Intervals of the time grid, one or several counts.  [default: 10,50]")
@click.option("--nfe", metavar="N,...", help="Instead of --steps: at most this many network evaluations per image.")
@click.option("--dataset", metavar="NAME", help="digits, or one with exact answers: mixture ...  [default: digits]")
@click.option("--recipe", metavar="NAME", help="Run every method on this recipe's checkpoint instead of its own.")
@click.option("--grid", metavar="NAMES", help="Time grids for all, as in uniform,karras[rho=5] or a file of "
              "`bench tune`; `default` is each method's own.  [default: default]")  # fmt: skip
@click.option(
    "--guidance", metavar="W,...", help="As in 1,2 (classifier-free), cfg[weight=2,high=1], auto, classifier."
)
@click.option("--samples", type=int, metavar="N", help="Images per cell and seed block.  [default: 1000]")
@click.option("--seeds", metavar="K,...", help="Seed blocks, as in 0-4; several give an interval.  [default: 0]")
@click.option("--batch-size", type=int, default=256, show_default=True, metavar="N", help="Images at a time.")
@click.option("--metrics", metavar="NAMES", help="Figures of quality.  [default: fid,novelty]")
@device_option
@click.option("--dtype", default="float32", show_default=True, help="Of the network: float32, bfloat16, float16.")
@click.option("--compile", is_flag=True, help="Run the network through torch.compile.")
@click.option("--output", metavar="DIR", help="Run directory.  [default: the same for the same command]")
@click.option("--save-images", is_flag=True, help="Keep all images, as images/CELL-BLOCK.npy in the run directory.")
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
    bench run --methods flow --steps 10 --guidance 1,2,4 --metrics fid,class_accuracy
    bench run --preset cifar10 --no-quality --batch-size 8 --steps 5
    """
    with _mistakes_as_usage_errors():
        from samplerbench.cli.progress import show
        from samplerbench.sweep.plan import Sweep
        from samplerbench.sweep.session import Session

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
@click.argument("runs", nargs=-1, metavar="BASELINE CURRENT", type=click.Path(path_type=Path))
@click.option("--against", metavar="GIT_REF", help="Instead: measure that commit and the working tree in turn, here.")
@click.option(
    "--run", "sweep", metavar="OPTIONS", help="With --against: what to run, as in '--methods ddim --steps 5'."
)
@click.option("--fail-on", multiple=True, metavar="FIELD:THRESHOLD", help="As in fid:2%; may be given several times.")
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json", "junit"]), default="text", show_default=True
)
@click.option("--strict", is_flag=True, help="Exit with 4 where a figure is too uncertain to judge.")
@click.pass_context
def compare(
    context: click.Context, runs: tuple[Path, ...], against: str | None, sweep: str | None, fail_on: tuple[str, ...],
    form: str, strict: bool,
) -> None:  # fmt: skip
    """Say what got worse from BASELINE to CURRENT, each a run directory or a CSV.

    Evaluations and FLOPs must not rise; FID is judged by its paired differences per seed block, speed by the overhead
    ratios of the timed rounds; seconds only where a rule is given and the machine is the same. With --against, both
    commits run in turn on this machine, and speed is judged by their paired ratios. Exit codes: 0 nothing worse, 1 a
    regression, 2 wrong input, 3 not comparable, 4 inconclusive with --strict.

    \b
    bench compare results/baseline results/runs/digits-1a2b3c4d --fail-on fid:5% --format markdown
    bench compare --against main --run '--methods ddim,flow --steps 5 --samples 250 --seeds 0-15'
    """
    if against is None and len(runs) != 2:
        raise click.UsageError("Give two runs, BASELINE and CURRENT, or --against GIT_REF.")
    if against is not None and runs:
        raise click.UsageError("--against measures both sides itself: leave out BASELINE and CURRENT.")
    if against is None and sweep is not None:
        raise click.UsageError("--run says what --against measures: give --against GIT_REF, or leave it out.")
    with _mistakes_as_usage_errors():
        from samplerbench.regression import commits
        from samplerbench.regression import compare as comparison
        from samplerbench.regression.verdicts import render

        rules = comparison.merge_rules(fail_on)
        try:
            if against is not None:
                verdicts = commits.compare_commits(against, sweep, rules)
            else:
                facts = [comparison.protocol_facts(run) for run in runs]
                verdicts = comparison.compare(*comparison.read_both(*runs), rules, facts)
        except comparison.NotComparable as error:
            click.echo(f"Error: {error}", err=True)
            context.exit(3)
    click.echo(render(verdicts, form))
    context.exit(comparison.exit_code(verdicts, strict))


@main.command()
@click.option("--trials", type=click.IntRange(1, 500), default=3, show_default=True, help="Each takes about a minute.")
@device_option
def selftest(trials: int, device: str) -> None:
    """Put known faults into a sampler and count how often the gate fires; equal code must not make it fire.

    \b
    bench selftest --trials 30
    """
    with _mistakes_as_usage_errors():
        from samplerbench.regression.selftest import as_markdown
        from samplerbench.regression.selftest import selftest as run_trials

        for outcomes in run_trials(trials, device):
            counts = ", ".join(f"{each.fired}/{each.trials}" for each in outcomes)
            click.echo(f"trial {outcomes[0].trials} of {trials}: {counts}", err=True)
    click.echo(as_markdown(outcomes))


@main.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), default="results/history", show_default=True, metavar="DIR")
def history(runs: tuple[Path, ...], output: Path) -> None:
    """Append each RUN to the figures over commits, plot every cell, and name the steps.

    \b
    bench history results/runs/digits-1a2b3c4d
    """
    with _mistakes_as_usage_errors():
        from samplerbench.regression.history import append

        for step in append(output, runs):
            click.echo(step)
    click.echo(output / "history.md")


@main.command()
@device_option
@click.option("--runs", type=click.IntRange(3, 100), default=8, show_default=True, help="Runs of the same code.")
@click.option("--batch-size", type=click.IntRange(1), default=256, show_default=True, help="Images at a time.")
def doctor(device: str, runs: int, batch_size: int) -> None:
    """Say what this machine can tell: its environment, its noise between equal runs, the smallest slowdown it shows.

    \b
    bench doctor
    """
    with _mistakes_as_usage_errors():
        from samplerbench.regression.doctor import examine, report

        click.echo(report(examine(device, runs, batch_size), device))


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
        from samplerbench.regression.baseline import update as write

        click.echo(write(run, output, reason))


@main.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), metavar="DIR",
              help="Where it goes.  [default: into the run; of several runs results/report]")  # fmt: skip
@click.option("--mixed", is_flag=True, help="Let runs under different protocols stand together, each judged by itself.")
@click.option("--format", "form", type=click.Choice(["text", "html", "markdown", "latex"]), default="text",
              show_default=True, help="text, html: write the report, and print the table or the file's name. markdown, "
              "latex: print the table, and write nothing.")  # fmt: skip
@click.pass_context
def report(context: click.Context, runs: tuple[Path, ...], output: Path | None, mixed: bool, form: str) -> None:
    """Write report.md, report.html and the pictures of a run directory RUN again, from its results.csv.

    Several runs make one report, with their rows in one table; runs under different protocols are refused, with exit
    code 3, unless --mixed is given.

    \b
    bench report results/runs/digits-1a2b3c4d
    bench report results/runs/digits-1a2b3c4d results/runs/digits-5e6f7a8b --output results/both
    bench report results/runs/digits-1a2b3c4d --format latex > table.tex
    """
    with _mistakes_as_usage_errors():
        if len(runs) == 1 and output is None:
            from samplerbench.store.results import load

            results = load(runs[0])
        else:
            from samplerbench.store import merge

            try:
                results = merge.merge(runs, output or merge.DEFAULT_OUTPUT, mixed)
            except merge.NotComparable as error:
                click.echo(f"Error: {error}", err=True)
                context.exit(3)
            if form in ("text", "html"):
                merge.write(results, runs, mixed)
        _show_report(results, form)


def _show_report(results, form: str) -> None:
    """Print the table as Markdown or LaTeX, or write the report and say where it is."""
    if form == "latex":
        from samplerbench.report.latex import latex

        click.echo(latex(results), nl=False)
    elif form == "markdown":
        from samplerbench.report.markdown import table as as_markdown
        from samplerbench.report.table import table

        click.echo(as_markdown(table(results)))
    else:
        from samplerbench.report.write import write_results

        written = write_results(results)
        if form == "html":
            click.echo(written.with_suffix(".html"))
        else:
            _print_results(results.folder)


@main.command()
@click.argument("method", metavar="METHOD")
@click.option(
    "--steps", type=click.IntRange(1), help="Intervals of the time grid.  [default: 10, or the nearest it can take]"
)
@click.option("--count", type=click.IntRange(1, 4096), default=64, show_default=True, help="Images to draw.")
@click.option("--output", type=click.Path(path_type=Path), default="samples.png", show_default=True, help="PNG file.")
@click.option("--seed", type=click.IntRange(0, 4095), default=0, show_default=True, help="Seed block of the noise.")
@click.option("--dataset", default="digits", show_default=True, metavar="NAME", help="What it was trained on.")
@click.option("--recipe", metavar="NAME", help="Run on this recipe's checkpoint instead of the method's own.")
@click.option("--grid", metavar="NAME", help="Time grid, or a file of `bench tune`.  [default: the method's own]")
@click.option("--guidance", metavar="W", help="As in 2 (classifier-free), cfg[weight=2,high=1], auto, classifier.")
@device_option
@weights_option
def sample(method: str, output: Path, **options: object) -> None:
    """Draw images with METHOD and write them into one picture.

    \b
    bench sample ddim[eta=0.5] --steps 10 --count 64 --output grid.png
    """
    with _mistakes_as_usage_errors():
        from samplerbench.sweep.sample import draw_images

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
@click.option("--quarter", is_flag=True, help="Store them as 8-bit integers: a quarter of the size.")
@click.option("--pairs", type=click.IntRange(1), metavar="N", help="Of noise and image, for a student that is trained "
              "on its teacher's.  [default: 50000]")  # fmt: skip
@click.option("--weak", is_flag=True, help="A smaller network, DIR/DATASET/RECIPE-weak.safetensors, for autoguidance.")
@device_option
@data_root_option
@click.option("--download", is_flag=True, help="Allow fetching the data set.")
@click.pass_context
def train(context: click.Context, recipe: str, **options: object) -> None:
    """Train the network of RECIPE; `digits-cnn` trains the classifier whose features measure quality on the digits,
    `noisy-classifier` the one that classifier guidance asks.

    A training that was stopped goes on from its last save when the same command is given again. A student learns from
    a teacher, which is trained first where it is missing.

    \b
    bench train flow --dataset digits
    bench train ddpm --iterations 20000 --seed 1
    bench train progressive[steps=4]
    """
    with _mistakes_as_usage_errors():
        from samplerbench.cli.progress import show_training
        from samplerbench.training.plan import plan_chain

        for training in plan_chain(recipe, **options):
            if show_training(training):
                state = training.output.parent
                click.echo(f"Interrupted: the state is in {state}; the same command goes on.", err=True)
                context.exit(130)
            click.echo(f"{training.output}: trained for {training.settings.iterations} iterations")


@main.command()
@click.argument("method", metavar="METHOD")
@click.option("--nfe", default="5,10", show_default=True, metavar="N,...", help="Budgets of network evaluations.")
@click.option("--dataset", default="digits", show_default=True, metavar="NAME", help="What the network was trained on.")
@click.option("--recipe", metavar="NAME", help="Run on this recipe's checkpoint instead of the method's own.")
@click.option("--images", type=click.IntRange(8, 4096), default=64, show_default=True, help="Noise to search on.")
@click.option("--evaluations", type=click.IntRange(10, 100_000), default=80, show_default=True,
              help="Grids tried for each budget, at most.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE",
              help="Grid file.  [default: grids/DATASET-RECIPE-METHOD.json]")  # fmt: skip
@device_option
@weights_option
@click.pass_context
def tune(context: click.Context, method: str, **options: object) -> None:
    """Search the time grid with which METHOD follows its network's ODE most closely, and write it to a file.

    It starts from the registered grids, and is judged on noise that it has not seen; where it is not surely better
    there, the file holds the best registered grid. Only deterministic methods have an ODE to follow.

    \b
    bench tune dpmpp_2m --nfe 5,10
    bench run --methods dpmpp_2m --nfe 5,10 --grid default,grids/digits-ddpm-dpmpp_2m.json
    """
    with _mistakes_as_usage_errors():
        from samplerbench.cli.progress import show_tuning
        from samplerbench.sweep.tune import Tuning, describe

        tuning = Tuning(method, **options)
        interrupted = show_tuning(tuning)
    for found in tuning.found:
        click.echo("\n".join(describe(found, tuning.method.grid)))
    if interrupted:
        click.echo("Interrupted: no grid file was written.", err=True)
        context.exit(130)
    click.echo(f"{tuning.output}: use it with --grid {tuning.output}")


@main.command()
@click.argument("recipes", metavar="[RECIPES]", default="ddpm,flow")
@click.option("--dataset", default="digits", show_default=True, metavar="NAME", help="Whose images to measure.")
@click.option("--images", type=click.IntRange(2), default=64, show_default=True, help="Of each split: the first ones.")
@click.option("--estimators", metavar="NAMES", help="ode, bound, exact.  [default: ode,bound; on exact data ode,exact]")
@click.option("--steps", type=click.IntRange(1, 100_000), help="Length of the bound's chain.  [default: 1000]")
@click.option("--levels", type=click.IntRange(2, 256),
              help="Of brightness, as many as pixels may have: the digits have 17.  [default: 256]")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 4095), default=0, show_default=True, help="Seed block of the noise.")
@click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True, help="Images at a time.")
@click.option("--output", type=click.Path(path_type=Path), metavar="DIR",
              help="Where likelihood.csv goes.  [default: results/likelihood]")  # fmt: skip
@device_option
@weights_option
@data_root_option
@click.option("--download", is_flag=True, help="Allow fetching the data set.")
@click.pass_context
def likelihood(context: click.Context, recipes: str, **options: object) -> None:
    """Measure how many bits per dimension the networks of RECIPES need for held-out and for training images.

    `ode` is the density of dequantised images by the probability-flow ODE, with Hutchinson's estimate of the
    divergence; `bound` is DDPM's variational bound, term by term; `exact` the density itself where it is known. Less is
    better; training images that need far less than held-out ones are memorised.

    \b
    bench likelihood ddpm,flow --images 64
    bench likelihood flow --estimators ode --levels 17
    """
    with _mistakes_as_usage_errors():
        from samplerbench.cli.progress import show_likelihood
        from samplerbench.sweep.likelihood import Likelihood, table

        measuring = Likelihood(recipes, **options)
        interrupted = show_likelihood(measuring)
    if measuring.rows:
        click.echo(table(measuring.frame()).to_string(index=False))
        click.echo(f"\nResults: {measuring.output / 'likelihood.csv'}")
    if interrupted:
        context.exit(130)


@main.command("list")
@click.argument(
    "kind", type=click.Choice(["methods", "recipes", "datasets", "grids", "guidances", "metrics"]), required=False
)
def list_(kind: str | None) -> None:
    """List what can be named on the command line, of one KIND or of all.

    \b
    bench list methods
    """
    from samplerbench.cli.listing import listing

    click.echo(listing(kind))


def _print_results(folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from samplerbench.report import markdown
    from samplerbench.report import text as sentences
    from samplerbench.report.table import WIDE, alignment, table
    from samplerbench.store.results import load

    results = load(folder)
    rows = table(results)
    if rows.empty:
        click.echo(markdown.NOTHING)
    text = rows.drop(columns=WIDE, errors="ignore").replace({"status": {r":.*": ""}}, regex=True)
    printed = Table(box=None, pad_edge=False)
    for column in text.columns:
        printed.add_column(Text(column), justify=alignment(column), no_wrap=column == "method")
    for row in text.itertuples(index=False):
        printed.add_row(*map(Text, row))
    Console(width=None if Console().is_terminal else 160).print(printed)
    groups = results.groups
    headings = [[sentences.heading(group)] * (len(groups) > 1) for group in groups]
    verdicts = [top + sentences.verdicts(group) for top, group in zip(headings, groups, strict=True)]
    for lines in (markdown.failures(rows), sentences.cautions(results), *verdicts):
        if lines:
            click.echo("\n" + "\n".join(line.replace("`", "") for line in lines))
    click.echo(f"\nReport: {folder / 'report.md'}, {folder / 'report.html'}")
