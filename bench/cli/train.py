"""`bench train`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from samplerbench.cli.events import Bar, Event, State
from samplerbench.cli.group import INTERRUPTED
from samplerbench.cli.options import options_of
from samplerbench.cli.progress import show
from samplerbench.training.options import TrainOptions

if TYPE_CHECKING:
    from samplerbench.training.plan import Training

# torch takes seconds to import: only when the command runs.


@click.command()
@click.argument("recipe", metavar="RECIPE")
@options_of(TrainOptions)
@click.pass_context
def train(context: click.Context, recipe: str, options: TrainOptions) -> None:
    """Train the network of RECIPE; `digits-cnn` and `mnist-cnn` train the classifiers whose features measure quality
    on digits and mnist5k, `noisy-classifier` the one for classifier guidance, `encoder` one for
    `fd[encoder=trained:FILE]` on other data, `autoencoder` the one whose latents --latent means.

    An interrupted training resumes from its last save when the same command is given again. A student learns from a
    teacher, which is trained first if it is missing.

    \b
    bench train flow --dataset digits
    bench train ddpm --iterations 20000 --seed 1
    bench train progressive[steps=4]
    bench train encoder --data mnist
    bench train text --dataset mnist5k
    bench train flow --dataset mnist5k --latent kl
    torchrun --standalone --nproc-per-node 2 -m samplerbench train flow --dataset cifar10
    """
    from samplerbench.training.plan import plan_chain
    from samplerbench.training.processes import torchrun_share

    with torchrun_share(options.device) as share:
        with share.in_turn():  # the first downloads and encodes what the others read
            trainings = plan_chain(recipe, options, share)
        for training in trainings:
            if show(_events(training)):
                state = f"Interrupted: the state is in {training.output.parent}; the same command continues."
                click.echo(state, err=True)
                context.exit(INTERRUPTED)
            click.echo(f"{training.output}: trained for {training.settings.iterations} iterations")


def _events(training: "Training") -> Iterator[Event]:
    """A bar for the pairs, if some are missing, and one for the training."""
    labels = {"pairs": f"pairs for {training.name}", "training": f"train {training.name}"}
    units = {"pairs": "pairs", "training": "iterations"}
    for at in training.run():
        loss = "" if at.loss is None else f"loss {at.loss:.4f}, "
        state = State(at.done, at.total, f"{loss}{at.rate:.0f} images/s")
        yield Bar(at.phase, labels[at.phase], units[at.phase], state)
