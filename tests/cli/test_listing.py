from dataclasses import dataclass

import pytest

from samplerbench.cli.catalogue import catalogue
from samplerbench.methods import METHODS, Method, register


def rows(output: str) -> dict[str, list[str]]:
    lines = [line.split() for line in output.splitlines()[1:] if line.strip()]
    return {words[0].partition("[")[0]: words[1:] for words in lines}


def test_list_names_everything(invoke):
    output = invoke("list").output
    expected = (
        "ddim[eta=0.0,clip=false] pf_ode digits fashion-mnist karras[rho=7.0,end=none] cfg[weight=2.0,low=0.0,high=inf]"
    )
    for name in (*expected.split(), "fid", "novelty", "fd[encoder=pixels]", "dinov2[:FILE]", "trained:FILE"):
        assert name in output


def test_facts_of_methods_and_recipes(invoke):
    methods, recipes = rows(invoke("list", "methods").output), rows(invoke("list", "recipes").output)
    assert methods["unipc"][:8] == "4 1 no ddpm logsnr - arXiv 2302.04867".split()
    assert methods["dpmpp_2m_sde"][:5] == "- 1 yes ddpm logsnr".split()
    assert methods["heun"][:4] == "2 2 no ddpm".split()
    assert methods["meanflow"][5] == "intervals"
    assert recipes["flow"][:5] == ["velocity", "Linear", "-", "ode", "digits,mnist5k"]
    assert recipes["improved_ddpm"][:5] == ["v", "Cosine", "-", "ode,variance", "digits"]
    assert recipes["subvp"][:5] == ["eps", "SubVP", "-", "ode", "-"]


@pytest.mark.parametrize("fault", ["raises", "yields nothing", "unknown recipe", "returns", "exits"])
def test_one_bad_plug_in_does_not_hide_the_others(fault, invoke):
    @dataclass(frozen=True)
    class Bad(Method):
        """A plug-in with a fault."""

        recipe = "no_such_recipe" if fault == "unknown recipe" else "ddpm"

        def steps(self, field, x, times, noise):
            if fault == "raises":
                raise RuntimeError("broken")
            if fault == "exits":
                raise SystemExit(3)
            return x if fault == "returns" else iter(())

    with METHODS.temporarily():
        register("bad")(Bad)
        result = invoke("list", "methods")
    assert result.exit_code == 0, result.output
    assert "\nunipc[" in result.output
    (line,) = [line for line in result.output.splitlines() if line.startswith("bad ")]
    reasons = {"raises": "fails: RuntimeError: broken", "yields nothing": "fails: bad yields 0 of 10 states",
               "returns": "fails: bad.steps returned a Tensor", "exits": "fails: SystemExit: 3"}  # fmt: skip
    assert reasons.get(fault, "fails: SpecError: No recipe is named 'no_such_recipe'") in line


@pytest.mark.parametrize("width", [50, 80])
def test_a_terminal_gets_a_paragraph_for_each(width):
    (text,) = catalogue(["methods"], width)
    lines = text.splitlines()
    assert all(len(line) <= width for line in lines if line[0] == " ")
    start = lines.index("heun[churn=0.0,s_min=0.0,s_max=inf,s_noise=1.0]")
    paragraph = " ".join(line.strip() for line in lines[start + 1 : start + 6])
    assert paragraph.startswith(
        "order 2, NFE/step 2, noise no, recipe ddpm, grid karras, reference arXiv 2206.00364 x'"
    )


def test_presets_are_listed_with_their_sizes(invoke):
    lines = invoke("list", "presets").output.splitlines()
    assert [line.split()[0] for line in lines] == ["digits", "mnist5k", "mnist5k-latent", "mnist", "cifar10"]
    assert "3x32x32, 128/256/256/256 channels, 2 blocks each, attention at 16" in lines[-1]
    assert max(map(len, lines)) <= 80
    assert "\npresets\n  digits" in invoke("list").output


def test_suites_are_listed_with_what_they_are_for(invoke):
    lines = invoke("list", "suites").output.splitlines()
    assert [line.split()[0] for line in lines] == ["few-step", "guard", "paper", "quick"]
    assert lines[0].endswith("Solvers at 4 to 20 evaluations and students at 1 to 8 steps, five seed blocks.")
    (text,) = catalogue(["suites"], 60)
    assert max(map(len, text.splitlines())) <= 60
