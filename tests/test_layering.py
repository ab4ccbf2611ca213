"""Imports run one way, read from the syntax trees."""

import ast
from pathlib import Path

import pytest

import bench
import methods
import models

ALLOWED = {"methods": {"methods"}, "models": {"models"}, "bench": {"bench", "methods", "models"}}
OURS = {"methods", "models", "bench"}


def imported(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} uses a relative import"
            found.add(node.module.split(".")[0])
    return found & OURS


@pytest.mark.parametrize("package", [bench, methods, models], ids=lambda package: package.__name__)
def test_imports_run_one_way(package):
    files = list(Path(package.__file__).parent.glob("*.py"))
    assert len(files) > 3
    for file in files:
        assert imported(file) <= ALLOWED[package.__name__], file


def test_the_command_line_starts_without_torch():
    tree = ast.parse((Path(bench.__file__).parent / "cli.py").read_text())
    top = {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    top |= {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert top == {"contextlib", "pathlib", "click"}
