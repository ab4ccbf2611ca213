"""`bench cache`."""

import click


@click.group(invoke_without_command=True)
@click.pass_context
def cache(context: click.Context) -> None:
    """Show the features of real images that are kept on this machine, or clear them.

    \b
    bench cache
    bench cache clear
    """
    if context.invoked_subcommand:
        return
    from samplerbench.data.cache import LIMIT, entries, folder  # torch takes seconds to import

    found = entries()
    size = sum(entry.size for entry in found)
    click.echo(
        f"{folder()}: features of {len(found)} sets of images, {_megabytes(size)} of at most {_megabytes(LIMIT)}"
    )


@cache.command()
def clear() -> None:
    """Delete all kept features; they are computed again when they are needed."""
    from samplerbench.data.cache import clear as remove
    from samplerbench.data.cache import folder

    removed = remove()
    size = sum(entry.size for entry in removed)
    click.echo(f"{folder()}: {len(removed)} removed, {_megabytes(size)}")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
