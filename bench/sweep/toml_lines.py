"""Where the keys of a TOML document are: parsers return values without their lines. No torch."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

# Strings of several lines and of one, and comments; what opens a string in a comment does not, and the reverse.
OPAQUE = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?!")|' r"'''.*?'''(?!')|" r'"(?:\\.|[^"\\\n])*"|' r"'[^'\n]*'|" r"#[^\n]*", re.DOTALL
)
HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]")
KEY = re.compile(r"\s*([^=\[\]{},\s][^=\[\]{},]*?)\s*=")


@dataclass
class TableLines:
    """A table: the line of its header, 0 for the top of the document, and of each of its keys."""

    line: int
    keys: dict[str, int] = field(default_factory=dict)


@dataclass
class Lines:
    """The top of a document, and the tables of one array of tables, in their order."""

    top: TableLines
    tables: list[TableLines]


def lines_of(text: str, array: str) -> Lines:
    """The lines of the keys at the top of a valid document, and in each [[array]].

    A table such as [array.key] counts as a key of the array's last table, and [key] as one of the top.
    """
    found = Lines(TableLines(0), [])
    here: TableLines | None = found.top
    for number, double, names in _statements(text):
        if not double:
            if here:
                here.keys.setdefault(names[0], number)
        elif names[0] != array or (double == "[" and not names[1:]):
            found.top.keys.setdefault(names[0], number)
            here = None
        elif names[1:]:
            (found.tables or [found.top])[-1].keys.setdefault(names[1], number)
            here = None
        else:
            here = TableLines(number)
            found.tables.append(here)
    return found


def _statements(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """The line, the opening brackets of a header or "" for a key, and the dotted name of every statement."""
    depth, start = 0, 0  # of brackets, and of the line
    for number, line in enumerate(OPAQUE.sub(_blanked, text).split("\n"), 1):
        match = (HEADER.match(line) or KEY.match(line)) if not depth else None
        if match:
            group = match.re.groups
            yield number, match[1] if group == 2 else "", _names(text, start, match, group, line)
        if not (match and match.re is HEADER):
            depth += len(re.findall(r"[\[{]", line)) - len(re.findall(r"[\]}]", line))
        start += len(line) + 1


def _blanked(match: re.Match) -> str:
    """Text of the same length and lines in which nothing means anything."""
    return re.sub(r"[^\n]", " " if match[0].startswith("#") else "x", match[0])


def _names(text: str, start: int, match: re.Match, group: int, line: str) -> list[str]:
    """The parts of a dotted name, which is read from the document itself: it may be in quotes."""
    first, last = match.span(group)
    dots = [first - 1, *(place for place in range(first, last) if line[place] == "."), last]
    parts = (text[start + dots[i] + 1 : start + dots[i + 1]] for i in range(len(dots) - 1))
    return [part.strip().strip("\"'") for part in parts]
