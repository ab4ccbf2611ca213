import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Annotated, Literal

import pytest

from samplerbench.methods import METHODS, Between, Method, Registry, SpecError, get, register, split_specs
from samplerbench.methods.core import registry as registry_module
from samplerbench.methods.core.plugin import Plugin


@pytest.mark.parametrize("spec", ["ddim", "ddim[eta=0.5]", "ddim[eta=0.5,clip=true]", "flow[solver=dopri5,rtol=0.001]"])
def test_a_spec_prints_as_it_parses(spec):
    assert str(get(spec)) == spec


def test_defaults_are_left_out_and_spaces_do_not_matter():
    assert str(get(" ddim[ eta = 0.0 , clip = true ] ")) == "ddim[clip=true]"
    assert split_specs("ddim[eta=0.5,clip=true], flow,") == ["ddim[eta=0.5,clip=true]", "flow"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("dimm", "No method is named 'dimm'. Did you mean 'ddim'?"),
        ("ddim[et=1]", "Did you mean 'eta'?"),
        ("ddim[eta=2]", "eta must lie between 0 and 1, not 2.0"),
        ("ddim[eta=nan]", "eta must lie between 0 and 1"),
        ("ddim[eta=x]", "eta must be a number, not 'x'"),
        ("ddim[eta=0,eta=1]", "given twice"),
        ("ddim[clip=yes]", "clip must be true or false"),
        ("ddim[eta]", "key=value"),
        ("ddim[", "not of the form"),
        ("ddpm[variance=big]", "Choose from: small, large"),
        ("flow[solver=rk5]", "Did you mean 'rk4'?"),
        ("flow[rtol=0.1]", "no effect on euler"),
    ],
)
def test_a_wrong_spec_says_what_to_do(spec, message):
    with pytest.raises(SpecError) as caught:
        get(spec)
    assert message in str(caught.value)


@dataclass(frozen=True)
class Complete(Method):
    """A method of somebody else (arXiv 0000.00000)."""

    scale: Annotated[float, Between(0, 2)] = 1.0
    kind: Literal["a", "b"] = "a"

    recipe = "ddpm"

    def steps(self, field, x, times, noise):
        yield x


@dataclass
class Mutable(Method):
    recipe = "ddpm"

    def steps(self, field, x, times, noise):
        yield x


@dataclass(frozen=True)
class Unfinished(Method):
    recipe = "ddpm"


@dataclass(frozen=True)
class Homeless(Method):
    def steps(self, field, x, times, noise):
        yield x


@pytest.mark.parametrize(
    ("name", "cls", "error"),
    [
        ("ddim", Complete, ValueError),
        ("Not a name", Complete, ValueError),
        ("new", int, TypeError),
        ("new", Mutable, TypeError),
        ("new", Unfinished, TypeError),
        ("new", Homeless, TypeError),
    ],
)
def test_registration_checks_names_and_types(name, cls, error):
    with pytest.raises(error):
        register(name)(cls)
    assert "new" not in METHODS.names()


def test_other_packages_register_through_entry_points(monkeypatch, tmp_path):
    (tmp_path / "someones_plugin.py").write_text(
        "from tests_registry_bridge import Complete, registry\nregistry.register('theirs')(Complete)\n"
    )
    ours = Registry("method", Plugin, registry_module._load)
    bridge = type(sys)("tests_registry_bridge")
    bridge.Complete, bridge.registry = Complete, ours
    monkeypatch.setitem(sys.modules, "tests_registry_bridge", bridge)
    monkeypatch.syspath_prepend(tmp_path)
    points = [EntryPoint("theirs", "someones_plugin", "x"), EntryPoint("broken", "no_such_module", "x")]
    monkeypatch.setattr(registry_module, "entry_points", lambda group: points * (group == registry_module.GROUP))
    with pytest.warns(UserWarning, match="'broken' .* was left out"):
        assert ours.names() == ["theirs"]
    assert str(ours.get("theirs[kind=b,scale=2]")) == "theirs[scale=2.0,kind=b]"
