"""Which code a digest covers: no stale row after an edit, and no new measurement without one."""

import importlib
import os
import sys
import textwrap

import pytest

from samplerbench.methods import METHODS, RECIPES
from samplerbench.store import source
from samplerbench.store.source import code_digest, sources

MAIN = """
    from samplerbench.methods import Method
    from my_plugin import helper
    from .sub import part

    class Mine(Method):
        def steps(self, field, x, times, noise):
            import neighbour_of_mine
            yield helper.step(x)
"""
FILES = {
    "my_plugin/__init__.py": "",
    "my_plugin/main.py": MAIN,
    "my_plugin/helper.py": "def step(x):\n    return x\n",
    "my_plugin/sub/__init__.py": "",
    "my_plugin/sub/part.py": "import torch\n",
    "my_plugin/unused.py": "",
    "neighbour_of_mine.py": "",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A plug-in of several files, importable but not installed."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("my_plugin", "neighbour_of_mine")]:
        del sys.modules[name]


@pytest.fixture
def digest(project):
    """digest(): the code digest of the plug-in, read afresh."""

    def digest():
        source._same_project.cache_clear()
        code_digest.cache_clear()
        return code_digest(importlib.import_module("my_plugin.main").Mine)

    yield digest
    code_digest.cache_clear()


def edit(path, text):
    """Write a file, with a time of modification that differs from the last."""
    before = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


@pytest.mark.parametrize(
    "file",
    ["my_plugin/__init__.py", "my_plugin/helper.py", "my_plugin/sub/part.py", "neighbour_of_mine.py"],
)
def test_an_edited_helper_of_a_plug_in_changes_its_digest(file, project, digest):
    before = digest()
    assert digest() == before
    edit(project / file, "def step(x):\n    return 2 * x\n")
    assert digest() != before


def test_packages_of_an_environment_below_this_one_are_dependencies(project):
    """As with --system-site-packages: without this, importing torch brought in all of torch, a minute of reading."""
    package = project / "lib" / "site-packages" / "installed_elsewhere"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    sys.path.insert(1, str(package.parent))  # restored with the fixture's
    edit(project / "my_plugin/helper.py", "import installed_elsewhere\n")
    found = sources(importlib.import_module("my_plugin.main").Mine)
    assert {name.partition(".")[0] for name in found} == {"my_plugin", "neighbour_of_mine"}


def test_prose_formatting_and_files_that_are_not_imported_change_nothing(project, digest):
    before = digest()
    edit(
        project / "my_plugin/helper.py",
        '"""A helper."""\n\n\ndef step(x):  # why\n    """Take a step."""\n    return (x)\n',
    )
    edit(project / "my_plugin/unused.py", "changed = True\n")
    assert digest() == before


def test_our_own_code_counts_where_it_can_change_the_cell():
    found = sources(METHODS.lookup("deis"))
    used = {"methods.multistep.deis", "methods.multistep._eps_multistep", "methods.core.field", "methods.core.path"}
    assert {f"samplerbench.{name}" for name in used} <= found.keys()
    assert not {name for name in found if ".stochastic." in name or ".students." in name or ".report" in name}
    assert "samplerbench" not in found
    assert all(name.startswith("samplerbench.") for name in found), "dependencies are recorded by their versions"

    assert "samplerbench.methods.recipes.edm" in sources(RECIPES.lookup("edm"))
    measured = sources("samplerbench.sampling.measure")
    assert {
        "samplerbench.models.unet",
        "samplerbench.sampling.noise",
        "samplerbench.networks.counted",
    } <= measured.keys()


def test_a_class_without_a_file_counts_by_its_bytecode():
    """As in a notebook, or in a program read from standard input."""

    def made(text: str) -> type:
        space = {"__name__": "nowhere"}
        exec(f"class Mine:\n    def steps(self, x):\n        return {text}\n", space)
        return space["Mine"]

    assert code_digest(made("x")) == code_digest(made("x")) != code_digest(made("2 * x"))
