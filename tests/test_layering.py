"""Imports run one way, read from the syntax trees."""

import ast
from pathlib import Path

import pytest

import samplerbench
from samplerbench import methods, models

ALLOWED = {
    "methods": {"methods"},
    "models": {"models"},
    "bench": {"bench", "methods", "models"},
}
PACKAGES = {"methods": methods, "models": models, "bench": samplerbench}


def imported(file: Path) -> set[str]:
    """Which of our three folders a file imports from."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} uses a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = [name.split(".") for name in found if name.startswith("samplerbench.")]
    return {parts[1] if parts[1] in ("methods", "models") else "bench" for parts in ours}


@pytest.mark.parametrize("name", PACKAGES)
def test_imports_run_one_way(name):
    files = list(Path(PACKAGES[name].__file__).parent.rglob("*.py"))
    assert len(files) > 4
    for file in files:
        assert imported(file) <= ALLOWED[name], file


def test_the_command_line_starts_without_torch():
    tree = ast.parse((Path(samplerbench.__file__).parent / "cli" / "main.py").read_text())
    top = {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    top |= {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert top == {"contextlib", "pathlib", "click"}
