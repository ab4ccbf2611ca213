"""An argument that names a run: a folder, or the URL of one in a bucket."""

from pathlib import Path
from typing import Any

import click


class RunPath(click.Path):
    """A local path, or that of a URL such as s3://bucket/run."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A Place. Raises InputError for a URL that cannot be opened."""
        if isinstance(value, str) and "://" in value:
            from samplerbench.store.place import as_place  # fsspec takes a part of a second to import

            return as_place(value)
        return super().convert(value, param, ctx)
