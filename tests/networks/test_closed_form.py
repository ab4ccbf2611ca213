import pytest
import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.data.distributions import Gaussian
from samplerbench.methods import RECIPES, get_recipe
from samplerbench.networks.closed_form import ClosedForm, closed_form, one_thread

# Of the recipes with a probability-flow ODE, which exact data can take the place of.
ORDINARY = [name for name in RECIPES.names() if "ode" in get_recipe(name).provides]


@pytest.mark.parametrize("name", ORDINARY)
def test_the_prediction_is_the_posterior_mean_read_as_the_recipes_target(name, gaussian):
    """Against the Gaussian of the tests, whose formulas are written out pixel by pixel."""
    recipe, axes = get_recipe(name), torch.eye(16, dtype=torch.float64)[None]
    known = Gaussian(gaussian.mean.flatten(1), axes, gaussian.std.flatten(1).square())
    x = torch.randn(5, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([0.1, 0.3, 0.5, 0.8, 0.95], dtype=torch.float64)
    found = ClosedForm(known, recipe)(x, t)
    torch.testing.assert_close(found, gaussian.field(recipe.path, recipe.target).net(x, t), rtol=1e-9, atol=1e-9)


def test_the_input_keeps_its_dtype_and_the_computation_is_double(gaussian):
    known = DATASETS.get("mixture").distribution
    net, t = ClosedForm(known, get_recipe("flow")), torch.tensor([0.4, 0.6])
    x = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    found = net(x, t, None)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, net(x.double(), t.double()).float(), rtol=0, atol=0)


def test_a_closed_form_takes_the_place_of_a_trained_network():
    dataset = DATASETS.get("gaussian")
    network = closed_form("flow", dataset.distribution, dataset, torch.device("cpu"))
    assert network.exact
    assert not network.distilled
    assert not network.compiled
    assert (network.image_shape, network.classes, network.dtype) == ((1, 4, 4), 0, torch.float64)
    assert (network.path, network.target) == (get_recipe("flow").path, get_recipe("flow").target)
    assert network.sources == {"flow": "exact gaussian"}


def test_the_number_of_threads_is_restored_even_after_an_error():
    threads = torch.get_num_threads()

    def fail():
        assert torch.get_num_threads() == 1
        raise RuntimeError("inside")

    torch.set_num_threads(threads + 2)
    try:
        with pytest.raises(RuntimeError, match="inside"), one_thread():
            fail()
        assert torch.get_num_threads() == threads + 2
    finally:
        torch.set_num_threads(threads)
