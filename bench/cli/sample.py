"""`bench sample`."""

from math import ceil, sqrt
from pathlib import Path

import click

from samplerbench.cli.options import options_of
from samplerbench.errors import InputError
from samplerbench.sweep.options import SampleOptions

PIXELS = 48  # that the side of an image is enlarged to, at least


@click.command()
@options_of(SampleOptions)
def sample(options: SampleOptions) -> None:
    """Draw images with METHOD and write them into one picture.

    \b
    bench sample ddim[eta=0.5] --steps 10 --count 64 --output grid.png
    """
    if options.output.suffix.lower() != ".png":
        raise InputError(f"The picture is a PNG: give --output a name that ends in .png, not {str(options.output)!r}.")
    from samplerbench.sweep.sample import draw_images  # torch takes seconds to import

    drawn = draw_images(options)
    _save(drawn.images.numpy(), options.output)
    click.echo(f"{options.output}: {options.count} images, {drawn.nfe:g} network evaluations each")


def _save(images, output: Path) -> None:
    """Write uint8 images (N, C, H, W) side by side into a PNG file."""
    from matplotlib.image import imsave

    from samplerbench.report.mosaic import mosaic

    picture = mosaic(images, columns=ceil(sqrt(len(images))), scale=ceil(PIXELS / images.shape[-1]))
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        imsave(output, picture)
    except OSError as error:
        raise InputError(f"Cannot write the picture {str(output)!r}: {error}.") from error
