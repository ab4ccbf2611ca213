import diffusers
import pytest
import torch

from samplerbench.methods import DiscreteVP, Field, Linear, get


@pytest.mark.parametrize("steps", [1, 3, 20])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("variant", ["bh1", "bh2"])
@pytest.mark.parametrize("corrector", [True, False])
def test_unipc_is_that_of_diffusers(compare, steps, order, variant, corrector):
    scheduler = diffusers.UniPCMultistepScheduler(
        solver_order=order, solver_type=variant, final_sigmas_type="zero", timestep_spacing="trailing",
        disable_corrector=[] if corrector else list(range(steps)),
    )  # fmt: skip
    spec = f"unipc[order={order},variant={variant},corrector={str(corrector).lower()}]"
    # Its bh1 multiplies B = -inf by 0 on the last step, and returns nan.
    compare(spec, scheduler, steps, last=variant == "bh2")


def test_the_variant_matters_only_with_two_evaluations():
    grid = DiscreteVP().along(torch.tensor([0.8, 0.71, 0.66, 0.5, 0.3, 0.1], dtype=torch.float64))
    one, other = (get(f"unipc[variant={variant}]").predictor_weights(grid) for variant in ("bh1", "bh2"))
    assert [a == b for a, b in zip(one, other, strict=True)] == [True, False, True, False, True]


@pytest.mark.parametrize("spec", ["unipc[order=1]", "sa_solver[order=1,corrector=2,tau=0]"])
def test_a_first_interval_without_signal_is_corrected_with_the_x0_at_its_end_alone(spec, small_net, x):
    field, times = Field(small_net, Linear(), "x0"), torch.tensor([1.0, 0.6, 0.3, 0.0], dtype=torch.float64)
    predicted, second, _ = get(spec).steps(field, x, times, None)

    start, end = (small_net(state, torch.full((len(x),), t)) for state, t in ((x, 1.0), (predicted, 0.6)))
    torch.testing.assert_close(predicted, 0.6 * x + 0.4 * start)
    corrected, decay = 0.6 * x + 0.4 * end, 0.4 * 0.3 / (0.7 * 0.6)  # e^-h of the second interval
    torch.testing.assert_close(second, 0.5 * corrected + 0.7 * (1 - decay) * end)
