import pytest
import torch

from samplerbench.errors import InputError
from samplerbench.methods import SpecError, get_guidance
from samplerbench.models import CheckpointError, load, save
from samplerbench.networks.checkpoints import load_network
from samplerbench.networks.conditioned import reconditioned, unet_of, with_condition
from samplerbench.networks.conditions.base import CONDITIONS
from samplerbench.networks.guides import with_guides

CPU = torch.device("cpu")


@pytest.fixture
def conditioned(few, few_weights):
    """conditioned(recipe): a network of `few` with conditions."""
    return lambda recipe: load_network(recipe, few, str(few_weights), CPU)


@pytest.fixture
def batch():
    """States, times and numbers of conditions."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 1, 28, 28, generator=generator), torch.tensor([0.2, 0.5, 1.0]), torch.tensor([0, 7, 59])


def by_hand(network, x, t, rows):
    """The U-Net's own prediction with these rows of conditions."""
    unet = unet_of(network)
    return unet(torch.cat((x, rows), 1), t) if unet.config.inputs else unet(x, t, context=rows)


@pytest.mark.parametrize("recipe", ["text", "inpaint"])
def test_number_i_is_row_i_and_none_the_last_row(recipe, conditioned, batch):
    network, (x, t, number) = conditioned(recipe), batch
    rows = network.conditions.rows
    found, none = network.net(x, t, number), network.net(x, t)
    torch.testing.assert_close(found, by_hand(network, x, t, rows[number]))
    torch.testing.assert_close(none, by_hand(network, x, t, rows[[-1] * 3]))
    assert (found - none).abs().max() > 1e-3
    assert network.classes == len(rows) - 1 == 60


def test_guidance_extrapolates_from_no_condition(conditioned, batch):
    network, (x, _, number) = conditioned("text"), batch
    field = network.field(network.net, number)
    (now,) = network.path.along(torch.tensor([0.5]))
    time = torch.full((3,), 0.5)
    own, none = network.net(x, time, number), network.net(x, time)
    for weight in (1.0, 3.0):
        guided = get_guidance(f"{weight}").guide(field, None)(x, now)
        torch.testing.assert_close(guided.p, none + weight * (own - none), rtol=1e-4, atol=1e-4)


def test_the_rows_are_no_weights(conditioned):
    assert not any("rows" in name for name in conditioned("text").eager.state_dict())


def test_other_options_replace_the_conditions_of_a_network_and_of_the_weaker_one(conditioned, few, few_weights):
    plain = conditioned("inpaint")
    auto = [get_guidance("auto")]
    first = reconditioned({"a": with_guides(plain, auto, few, str(few_weights))}, "inpaint[mask=left]")["a"]
    then = with_guides(reconditioned({"a": plain}, "inpaint[mask=left]")["a"], auto, few, str(few_weights))
    for network in (first, then):
        weak = network.guides["weak"]
        assert network.condition == weak.condition == "inpaint[mask=left]"
        assert network.conditions.digest == weak.conditions.digest != plain.conditions.digest


def test_networks_without_the_condition_stay_as_they_are(conditioned, few_weights):
    networks = {name: conditioned(name) for name in ("text", "inpaint")}
    found = reconditioned(networks, "inpaint[mask=top]")
    assert found["text"] is networks["text"]
    assert found["inpaint"].condition == "inpaint[mask=top]"


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("superres", InputError, "--condition has no effect: no network here takes the condition 'superres'"),
        ("inpait", SpecError, "No condition is named 'inpait'.*inpaint"),
        ("inpaint[mask=middle]", SpecError, "middle"),
        ("text[prompts=nowhere.txt]", InputError, "nowhere.txt"),
    ],
)
def test_a_condition_that_cannot_be_is_one_sentence(spec, error, message, conditioned):
    with pytest.raises(error, match=message):
        reconditioned({name: conditioned(name) for name in ("text", "inpaint")}, spec)


def test_a_network_of_another_kind_is_refused(conditioned):
    with pytest.raises(InputError, match="inpaint was trained with other options of its condition than text"):
        with_condition(conditioned("inpaint"), CONDITIONS.get("text"))


def test_a_classifier_cannot_guide_it(conditioned, few, few_weights):
    with pytest.raises(InputError, match="cannot guide text, which has conditions instead of labels"):
        with_guides(conditioned("text"), [get_guidance("classifier")], few, str(few_weights))


def test_a_checkpoint_that_lost_its_condition_is_refused(few, few_weights, tmp_path):
    checkpoint = load(few_weights / "few/text.safetensors")
    facts = {key: value for key, value in checkpoint.metadata.items() if key != "condition"}
    save(tmp_path / "few/text.safetensors", checkpoint.weights, facts)
    with pytest.raises(CheckpointError, match="does not record the condition of its network: retrain it"):
        load_network("text", few, str(tmp_path), CPU)
