import pytest
import torch

from samplerbench.methods import Sampler, get
from samplerbench.testing.bare_run import bare_run
from samplerbench.testing.exact import normal
from samplerbench.testing.runs import small_field

# The operations on the state in a step, counted by hand.
OPERATIONS = {
    "flow": 1,  # x + h v
    "ddim": 2,  # a x + b eps
    "ddim[eta=1]": 3,  # and c z
    "ddpm": 6,  # x0 from x and eps: 2; its clipping; a x + b x0 + c z: 3
    "heun": 5,  # y = a x + b eps: 2; c x + d eps + e eps(y): 3
    "dpmpp_2m": 4,  # a x + b eps + c x' + d eps', with those of the step before
    "bespoke": None,  # one term more in every step
}


@pytest.mark.parametrize("ready", [False, True])
@pytest.mark.parametrize("spec", OPERATIONS)
def test_it_makes_the_image_of_the_method(spec, ready):
    method = get(spec)
    steps = method.nearest_steps(6)
    sampler, field, (x, z) = Sampler(method, steps), small_field(method, steps), normal(2, 2, 1, 8, 8)
    with torch.inference_mode():
        run = bare_run(sampler, field, x, ready)
        expected = sampler.sample(field, x, lambda _: z)
        torch.testing.assert_close(run(x, field.net, lambda _: z), expected, rtol=1e-9, atol=1e-9)
    assert ("full(" in run.__doc__) is not ready


@pytest.mark.parametrize("spec", [spec for spec, count in OPERATIONS.items() if count])
def test_it_takes_the_fewest_operations(spec):
    field, x = small_field(get(spec), 6), normal(2, 1, 8, 8)
    lengths = [bare_run(Sampler(get(spec), steps, "uniform"), field, x).__doc__ for steps in (20, 21)]
    shorter, longer = (sum(map(source.count, ("add(", " * ", "torch."))) for source in lengths)
    assert longer - shorter == OPERATIONS[spec]
