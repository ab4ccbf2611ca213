"""The hash of the code behind a row: a cell whose code has changed is measured again, and no other."""

import ast
import hashlib
import marshal
import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import FunctionType

SITES = {"site-packages", "dist-packages"}  # of this environment, or of one below it that it can import from
OURS = "samplerbench"  # its top module only re-exports, and would bring in everything
PARTS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)  # may begin with a docstring


@cache
def code_digest(*roots: type | str) -> str:
    """The hash of the source of these classes and modules, and of all that they import of their own projects.

    Comments, docstrings and formatting do not count. A class without a file, as in a notebook, counts by its bytecode.
    """
    without_file = [_bytecode(root) for root in roots if not isinstance(root, str) and _file(root.__module__) is None]
    found = [*without_file, *sorted(sources(*roots).items())]
    return hashlib.sha256(repr(found).encode()).hexdigest()[:12]


def sources(*roots: type | str) -> dict[str, str]:
    """The modules that `code_digest` covers, with the hash of each. Imports inside functions count."""
    found: dict[str, str] = {}
    pending = [_module(root) for root in roots]
    while pending:
        name = pending.pop()
        file = _file(name)
        if name in found or file is None:
            continue
        found[name], imported = _read(file, os.stat(file).st_mtime_ns)
        package = name if file.endswith("__init__.py") else name.rpartition(".")[0]
        named = (module for text in imported for module in _absolute(text, package))
        pending += _own(name, (*named, *_parents(name)))
    return found


def _module(root: type | str) -> str:
    return root if isinstance(root, str) else root.__module__


def _bytecode(cls: type) -> str:
    functions = (value for _, value in sorted(vars(cls).items()) if isinstance(value, FunctionType))
    return hashlib.sha256(b"".join(marshal.dumps(function.__code__) for function in functions)).hexdigest()


def _parents(name: str) -> Iterator[str]:
    """The packages that a module lies in, which are imported before it."""
    while name := name.rpartition(".")[0]:
        yield name


def _own(importer: str, names: Iterable[str]) -> Iterator[str]:
    """Those of the names that are modules of the importer's project."""
    for name in names:
        if name != OURS and _same_project(importer.partition(".")[0], name.partition(".")[0]) and _file(name):
            yield name


@cache
def _same_project(importer: str, imported: str) -> bool:
    """Whether a top-level module belongs to the project that imports it: by name, by distribution or by place."""
    if importer == imported:
        return True
    file = _file(imported)
    if file is None or imported in sys.stdlib_module_names:
        return False
    if not SITES.intersection(Path(file).resolve().parts):
        return imported != OURS  # a neighbour that is not installed, or an editable one
    if importer == OURS:
        return False  # it is all of its distribution; to list those of all modules takes 0.3 s
    return not set(_distributions().get(importer, ())).isdisjoint(_distributions().get(imported, ()))


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


def _file(name: str) -> str | None:
    """The file of a module; None for one that is built in, or does not exist."""
    try:
        module = sys.modules.get(name)
        spec: ModuleSpec | None = getattr(module, "__spec__", None) or (find_spec(name) if module is None else None)
    except (ImportError, ValueError, AttributeError):
        return None
    file = getattr(module, "__file__", None) or (spec.origin if spec and spec.has_location else None)
    return file if file and Path(file).is_file() else None


def _absolute(text: str, package: str) -> Iterator[str]:
    """The modules that an import may mean: `package:name` is the package and, if there is one, its module `name`."""
    source, _, name = text.partition(":")
    try:
        source = resolve_name(source, package) if source.startswith(".") else source
    except ImportError:
        return
    yield source
    if name:
        yield f"{source}.{name}"


@cache
def _read(file: str, modified: int) -> tuple[str, tuple[str, ...]]:
    """The hash of a file's code and what it imports. modified: its time, so that an edited file is read again."""
    content = Path(file).read_bytes()
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # an extension module
        return hashlib.sha256(content).hexdigest(), ()
    imported = tuple(text for node in ast.walk(tree) for text in _imports(node))
    for node in ast.walk(tree):
        if isinstance(node, PARTS) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), imported


def _imports(node: ast.AST) -> Iterator[str]:
    """What an import statement names: `module`, or `module:name` for each name that it takes from there."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        source = "." * node.level + (node.module or "")
        yield from (f"{source}:{alias.name}" for alias in node.names)
