"""The command line. Commands parse and print; importing them is quick, since they import torch only when they run."""

import click

from samplerbench.cli.cache import cache
from samplerbench.cli.check import check
from samplerbench.cli.compare import compare
from samplerbench.cli.export import export
from samplerbench.cli.gate import baseline, doctor, history
from samplerbench.cli.golden import golden
from samplerbench.cli.group import Bench
from samplerbench.cli.import_ import import_
from samplerbench.cli.likelihood import likelihood
from samplerbench.cli.listing import list_
from samplerbench.cli.plan import plan
from samplerbench.cli.report import report
from samplerbench.cli.run import run
from samplerbench.cli.sample import sample
from samplerbench.cli.score import score
from samplerbench.cli.selftest import selftest
from samplerbench.cli.status import status
from samplerbench.cli.train import train
from samplerbench.cli.tune import tune


@click.group(cls=Bench, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="samplerbench")
def main() -> None:
    """Measure few-step generative samplers: counted evaluations, FID with its floor, honest timing.

    \b
    bench run                                    the default sweep, on embedded data and shipped weights
    bench run --methods ddim,flow --steps 10,50
    """


for command in (
    run, plan, compare, report, status, score, sample, train, tune, likelihood, import_, export, golden, list_, cache,
    check, selftest, history, doctor, baseline,
):  # fmt: skip
    main.add_command(command)
