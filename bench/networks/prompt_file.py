"""Files of prompts."""

from pathlib import Path

from samplerbench.errors import InputError

MOST = 100_000  # prompts


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that are not empty. Raises InputError if it cannot be read, or has none or too many."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text: {error}.") from error
    prompts = [line for line in lines if line]
    if not 0 < len(prompts) <= MOST:
        raise InputError(f"{path} must hold 1 to {MOST} prompts, a line each, not {len(prompts)}.")
    return prompts
