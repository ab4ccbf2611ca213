"""`bench likelihood`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from samplerbench.cli.events import Bar, Event, State
from samplerbench.cli.group import INTERRUPTED
from samplerbench.cli.options import options_of
from samplerbench.cli.progress import show
from samplerbench.sweep.likelihood_options import LikelihoodOptions

if TYPE_CHECKING:
    import pandas as pd

    from samplerbench.sweep.likelihood import Likelihood

# torch takes seconds to import: only when the command runs.


@click.command()
@options_of(LikelihoodOptions)
@click.pass_context
def likelihood(context: click.Context, options: LikelihoodOptions) -> None:
    """Measure how many bits per dimension the networks of RECIPES need for held-out and for training images.

    `ode` is the density of dequantised images by the probability-flow ODE, with Hutchinson's estimate of the
    divergence; `bound` is DDPM's variational bound, term by term; `exact` is the density itself, for data with a closed
    form. Less is better; training images that need far less than held-out ones are memorised.

    \b
    bench likelihood ddpm,flow --images 64
    bench likelihood flow --estimators ode --levels 17
    """
    from samplerbench.sweep.likelihood import Likelihood

    measurement = Likelihood(options)
    interrupted = show(_events(measurement))
    if measurement.rows:
        click.echo(table(measurement.frame()).to_string(index=False))
        click.echo(f"\nResults: {measurement.output / 'likelihood.csv'}")
    if interrupted:
        context.exit(INTERRUPTED)


def _events(measurement: "Likelihood") -> Iterator[Event]:
    for at in measurement.run():
        label = f"{at.case.network.name}, {at.case.split}, {at.case.estimator}"
        yield Bar("likelihood", label, "images", State(at.done, at.total))


def table(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The rows as text."""
    import pandas as pd

    from samplerbench.report.formats import number, spread

    return pd.DataFrame(
        {
            "recipe": row["recipe"],
            "images": f"{row['images']} {row['split']}",
            "estimator": row["estimator"],
            "bits/dim": f"{row['bpd']:.3f}{spread(row['bpd_se'])}",
            "L_T": number(row["prior_bpd"], "{:.2g}"),
            "sum L_t-1": number(row["transitions_bpd"], "{:.3f}"),
            "L_0": number(row["decoder_bpd"], "{:.3f}"),
            "NFE": number(row["nfe"], "{:.0f}"),
            "s/image": number(row["seconds_per_image"]),
        }
        for row in frame.to_dict("records")
    )
