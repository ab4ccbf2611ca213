import sys
from importlib.metadata import EntryPoint

import pytest

from samplerbench.methods import METHODS
from samplerbench.methods.core import discovery


@pytest.fixture
def package(tmp_path, monkeypatch):
    """package(name, *modules): a package in which each module, as in "family.deep", appends its name to `found`."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def package(name, *modules):
        for module in ("__init__", *modules):
            file = tmp_path.joinpath(name, *module.split(".")).with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            (file.parent / "__init__.py").touch()
            if module != "__init__":
                file.write_text(f"import {name}\n{name}.found.append({module!r})\n")
        (tmp_path / name / "__init__.py").write_text("found = []\n")
        return sys.modules[__import__(name).__name__]

    yield package
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_modules_of_sub_packages_are_imported_and_private_and_skipped_ones_are_not(package):
    modules = ["top", "family.deep", "family.inner.deeper", "family._base", "_hidden.module", "skipped", "family.too"]
    ours = package("someones_methods", *modules)
    discovery.import_files("someones_methods", skip=["someones_methods.skipped", "someones_methods.family.too"])
    assert sorted(ours.found) == ["family.deep", "family.inner.deeper", "top"]


def test_our_own_methods_are_found_in_every_family():
    families = {METHODS.lookup(name).__module__.split(".")[2] for name in METHODS.names()}
    assert families == {"runge_kutta", "exponential", "multistep", "stochastic", "students"}


@pytest.fixture
def entry_points(monkeypatch):
    """entry_points(group=[values]): load these entry points instead of the installed ones."""

    def load(**groups):
        found = {f"samplerbench.{group}": values for group, values in groups.items()}
        points = {group: [EntryPoint(v, v, group) for v in values] for group, values in found.items()}
        monkeypatch.setattr(discovery, "entry_points", lambda group: points.get(group, []))
        discovery.load_entry_points.__wrapped__()

    return load


@pytest.mark.parametrize("group", ["methods", "metrics", "encoders", "datasets", "models"])
def test_entry_points_of_every_group_are_imported(package, entry_points, group):
    theirs = package("someones_plugins", "plugin")
    entry_points(**{group: ["someones_plugins.plugin"]})
    assert theirs.found == ["plugin"]


@pytest.mark.parametrize("code", ["import no_such_module", "raise SystemExit(3)", "1 / 0"])
def test_a_broken_plugin_is_left_out_with_a_warning_and_the_others_are_imported(package, entry_points, code, tmp_path):
    theirs = package("someones_plugins", "one", "other")
    (tmp_path / "broken.py").write_text(code)
    with pytest.warns(UserWarning, match=r"'broken' \(broken\) was left out: "):
        entry_points(methods=["someones_plugins.one", "broken", "someones_plugins.other"])
    assert theirs.found == ["one", "other"]
