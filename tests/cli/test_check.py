from dataclasses import dataclass
from itertools import pairwise

import pytest

from samplerbench.methods import METHODS, Method, register


@pytest.fixture
def plugin():
    """plugin(order, fault): registers Euler's method as `mine`, declaring this order; on images it raises the fault."""

    def plugin(order: int, fault: BaseException | None = None):
        @register("mine")
        @dataclass(frozen=True)
        class Mine(Method):
            """Euler's method."""

            recipe = "ddpm"

            def steps(self, field, x, times, noise):
                if fault and len(x) > 1:
                    raise fault
                for now, then in pairwise(field.path.along(times)):
                    x = field(x, now).mix(then.alpha, then.sigma)
                    yield x

        Mine.order = order

    with METHODS.temporarily():
        yield plugin


def test_a_sound_plug_in_keeps_the_contract_and_shows_what_was_measured(invoke, plugin):
    plugin(1)
    result = invoke("check", "mine")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("method mine\n")
    for line in ("ok      evaluations are counted: 1, 2, 5 evaluations in 1, 2, 5 steps",
                 "ok      declared order is reached: order 1.00, declared 1",
                 "ok      draws noise through its argument: deterministic", "15 of 15 checks hold"):  # fmt: skip
        assert line in result.stdout.splitlines()
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_a_broken_promise_is_one_reason_and_exit_code_1(invoke, plugin):
    plugin(2)
    result = invoke("check", "mine")
    assert result.exit_code == 1
    assert "FAILED  declared order is reached\n          mine declares order 2, but" in result.stdout
    assert "14 of 15 checks hold" in result.stdout


@pytest.mark.parametrize("fault", [ValueError("oh no"), SystemExit(3)], ids=repr)
def test_whatever_a_plug_in_raises_is_a_reason(fault, invoke, plugin):
    plugin(1, fault)
    result = invoke("check", "mine")
    assert result.exit_code == 1
    assert f"mine raises {type(fault).__name__}: {fault}" in result.stdout
    assert "ok      prints and parses" in result.stdout


def test_a_name_of_two_kinds_is_the_method_and_an_unknown_one_a_sentence(invoke):
    assert invoke("check", "grid:uniform").stdout.startswith("grid uniform")
    result = invoke("check", "ddimm")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: No plug-in is named 'ddimm'. Did you mean 'ddim'?")
