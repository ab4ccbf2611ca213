"""`bench export`."""

from pathlib import Path

import click

from samplerbench.errors import InputError


@click.command()
@click.argument("recipe")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder to write; it must be empty.")
@click.option("--dataset", default="digits", show_default=True, help="What it was trained on.")
@click.option("--weights", default=None, metavar="DIR", help="Your own checkpoints.  [default: checkpoints]")
def export(recipe: str, output: Path, dataset: str, weights: str | None) -> None:
    """Write a trained network as a folder that diffusers loads.

    RECIPE: a recipe, or the FILE.safetensors of `bench train`.

    \b
    bench export ddpm --output ddpm-digits
    """
    import torch  # takes seconds to import

    from samplerbench.data.dataset import DATASETS
    from samplerbench.methods import get_recipe
    from samplerbench.networks.checkpoints import load_network
    from samplerbench.networks.model import get_model, load_model
    from samplerbench.networks.published.export import export as write

    cpu, model = torch.device("cpu"), get_model(recipe)
    if model:
        network = load_model(model, cpu, torch.float32)
    else:
        network = load_network(str(get_recipe(recipe)), DATASETS.get(dataset), weights, cpu, strict=True)
    try:
        write(network, dataset, output)
    except OSError as error:
        raise InputError(f"Cannot write {str(output)!r}: {error.strerror or error}.") from error
    click.echo(
        f"{output}: {network.name} as a pipeline of diffusers; bench run --model diffusers:{output} reads it too"
    )
