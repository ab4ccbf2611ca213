import shutil
from pathlib import Path

import pytest
import torch

from samplerbench import methods, models
from samplerbench.methods import METHODS
from samplerbench.store import provenance
from samplerbench.store.provenance import code_digest, device_name, environment, fingerprint


@pytest.fixture
def source(tmp_path, monkeypatch) -> Path:
    """A copy of `methods` and `models`, which takes their place."""
    for package in (methods, models):
        name = package.__name__.rpartition(".")[2]
        shutil.copytree(Path(package.__file__).parent, tmp_path / name, ignore=shutil.ignore_patterns("weights"))
    monkeypatch.setattr(provenance, "_folder", lambda package: tmp_path / package.rpartition(".")[2])
    return tmp_path


@pytest.fixture
def digest():
    """digest(name="ddim"): the code digest of a method, read afresh."""

    def digest(name: str = "ddim") -> str:
        code_digest.cache_clear()
        return code_digest(METHODS.lookup(name))

    yield digest
    code_digest.cache_clear()


@pytest.mark.parametrize(
    "file",
    ["methods/core/field.py", "methods/core/guidance/cfg.py", "methods/multistep/deis.py", "methods/recipes/edm.py",
     "methods/__init__.py", "models/unet.py"],
)  # fmt: skip
def test_the_digest_changes_with_any_file_of_methods_and_models(file, source, digest):
    before = digest()
    assert digest() == before
    path = source / file
    path.write_text(path.read_text() + "\n# changed\n")
    assert digest() != before


def test_the_digest_changes_with_a_file_that_appears_or_goes(source, digest):
    before = digest()
    new = source / "methods" / "stochastic" / "mine.py"
    new.write_text("# new\n")
    assert digest() != before
    new.unlink()
    assert digest() == before


def test_the_digest_of_a_plug_in_elsewhere_covers_its_own_file(source, digest, tmp_path, monkeypatch):
    plugin = tmp_path / "plugin.py"
    plugin.write_text("# one\n")
    monkeypatch.setattr(provenance.inspect, "getfile", lambda method: str(plugin))
    before = digest()
    plugin.write_text("# two\n")
    assert digest() != before


def test_a_fingerprint_depends_on_values_not_on_the_order_of_keys():
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    assert len(fingerprint({})) == 12


def test_the_environment_names_the_machine_and_the_versions():
    found = environment(torch.device("cpu"))
    assert found["device"] == f"cpu ({device_name(torch.device('cpu'))})"
    assert torch.__version__.startswith(found["packages"]["torch"])
    assert found["threads"] == torch.get_num_threads()
