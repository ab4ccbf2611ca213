"""`bench import`."""

from pathlib import Path

import click

from samplerbench.errors import InputError


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--family", metavar="SPEC", default=None,
    help="edm, sid, adm or torchcfm, with options for what the file does not determine (`bench list families`).  "
    "[default: recognised]",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(path_type=Path), default=None,
    help="File to write; it must not exist.  [default: FILE with the ending .safetensors]",
)  # fmt: skip
def import_(file: Path, family: str | None, output: Path | None) -> None:
    """Convert a research checkpoint, of EDM, guided-diffusion or torchcfm, into a file for --model.

    No code from FILE runs: pickles are read as data.

    \b
    bench import edm-cifar10-32x32-uncond-vp.pkl
    bench import net.pt --family adm[image_size=32,schedule=cosine] --output net.safetensors
    """
    from samplerbench.networks.research.imported import import_file  # torch takes seconds to import

    if not file.is_file():
        raise InputError(f"There is no file {str(file)!r} to import.")
    output = output or file.with_suffix(".safetensors")
    if output.suffix != ".safetensors":
        raise InputError(f"The file is written as safetensors: give --output such an ending, not {str(output)!r}.")
    try:
        imported = import_file(file, family, output)
    except OSError as error:
        raise InputError(f"Cannot write {str(output)!r}: {error.strerror or error}.") from error
    click.echo(f"{output}: a network of the family {imported.family}; bench run --model {output} measures it")
