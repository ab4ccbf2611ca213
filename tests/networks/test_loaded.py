from dataclasses import replace

import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.methods import get_guidance
from samplerbench.networks.guides import with_guides
from samplerbench.networks.loaded import Origin


def test_an_origin_prints_as_its_source_and_digest():
    assert str(Origin("shipped", "123abc")) == "shipped 123abc"


def test_a_network_is_distilled_if_it_has_no_ode(flow_network, load):
    assert not flow_network.distilled
    assert load("progressive").distilled
    assert replace(flow_network, provides=frozenset({"labels"})).distilled


def test_a_network_is_compiled_if_it_does_not_run_eagerly(flow_network):
    assert not flow_network.compiled
    assert replace(flow_network, net=torch.nn.Identity()).compiled


def test_its_field_evaluates_through_the_call_with_all_that_the_recipe_learned(load):
    bespoke, meanflow = load("bespoke"), load("meanflow")
    called, label = [], torch.tensor([3])

    def call(x, *inputs):
        called.append(inputs)
        return x

    x, (now, then) = torch.zeros(1, 1, 8, 8), meanflow.path.along(torch.tensor([0.8, 0.2]))
    field = bespoke.field(call, label)
    field(x, now)
    assert (field.path, field.target) == (bespoke.path, bespoke.target)
    assert field.modules["solver"] is bespoke.modules["solver"]
    meanflow.field(call, label)(x, now, then)
    (t, y), (t_, y_, s) = called
    assert (t.item(), y.item(), t_.item(), y_.item(), s.item()) == (t_.item(), 3, t.item(), 3, torch.tensor(0.2).item())


def test_sources_name_every_checkpoint_in_use(flow_network, ddpm_network):
    guidances = [get_guidance("auto"), get_guidance("classifier")]
    guided = with_guides(flow_network, guidances, DATASETS.get("digits"), None)
    network = replace(guided, teacher=ddpm_network)
    assert {name: text.split()[0] for name, text in network.sources.items()} == dict.fromkeys(
        ["flow", "flow-weak", "noisy-classifier", "ddpm"], "shipped"
    )
    assert network.sources["ddpm"] == str(ddpm_network.origin)
    assert network.guide_digest(guidances[0]) == guided.guides["weak"].origin.digest
    assert network.sources["flow-weak"].endswith(network.guide_digest(guidances[0]))
    assert network.sources["noisy-classifier"].endswith(network.guide_digest(guidances[1]))
    assert network.guide_digest(get_guidance("2")) == "", "classifier-free guidance needs no other network"
