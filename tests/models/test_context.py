"""Networks conditioned on tokens, on a text, and on further channels of their input."""

from dataclasses import replace

import pytest
import torch

from samplerbench.models import PRESETS, UNet, UNetConfig, load, shipped
from samplerbench.models.kinds import KINDS, build, facts_of
from samplerbench.models.layers import CrossAttention, Tokens
from samplerbench.models.text_encoder import TextEncoder

VECTORS = replace(PRESETS["digits"], channels=16, blocks=1, context=12)
TEXT = UNetConfig(7, 4, channels=16, multipliers=(1,), blocks=1, attention=(7,), context=24, vocabulary=9, tokens=6)


def randomised(net):
    """The network with no layer at zero, so that its output depends on everything."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net.eval()


def arguments(config, batch=3):
    torch.manual_seed(1)
    side, channels = config.resolution, config.image_channels + config.inputs
    return torch.randn(batch, channels, side, side), torch.rand(batch)


@pytest.mark.parametrize("masked", [False, True])
def test_cross_attention_is_the_plain_formula(masked):
    layer, x, vectors = randomised(CrossAttention(128, 10)), torch.randn(2, 128, 3, 3), torch.randn(2, 5, 10)
    attended = torch.tensor([[True, True, False, False, False], [True] * 4 + [False]]) if masked else None

    q = layer.q(layer.norm(x)).flatten(2).unflatten(1, (2, 64))  # two heads of 64 channels
    k, v = (part.unflatten(2, (2, 64)) for part in layer.kv(vectors).chunk(2, dim=-1))
    scores = torch.einsum("bhcp,blhc->bhpl", q, k) / 8
    if masked:
        scores = scores.masked_fill(~attended[:, None, None], -torch.inf)
    found = torch.einsum("bhpl,blhc->bhcp", scores.softmax(-1), v).reshape(x.shape)
    torch.testing.assert_close(layer(x, Tokens(vectors, attended)), x + layer.out(found), rtol=1e-4, atol=1e-5)


def test_padding_does_not_change_the_output():
    net, (x, t) = randomised(UNet(TEXT)), arguments(TEXT)
    short = torch.tensor([[3, 4, 5], [6, 0, 0], [0, 0, 0]])
    padded = torch.nn.functional.pad(short, (0, 3))
    found = net(x, t, context=short)
    torch.testing.assert_close(net(x, t, context=padded), found, rtol=1e-4, atol=1e-5)
    assert found.isfinite().all(), "the empty text has something to attend to"
    for row, other in enumerate(([3, 5, 4], [7, 0, 0], [6, 0, 0])):  # the order of the words counts too
        changed = short.clone()
        changed[row] = torch.tensor(other)
        difference = (net(x, t, context=changed) - found).abs().amax((1, 2, 3)) > 1e-3
        assert difference.tolist() == [row == each for each in range(3)]


@pytest.mark.parametrize(
    ("config", "one", "two"),
    [
        (VECTORS, torch.zeros(3, 4, 12), torch.ones(3, 4, 12)),
        (TEXT, torch.tensor([[1, 2]] * 3), torch.tensor([[1, 0]] * 3)),
    ],
    ids=["vectors", "text"],
)
def test_the_output_depends_on_the_context_once_it_is_trained(config, one, two):
    torch.manual_seed(0)
    net, (x, t) = UNet(config).train(), arguments(config)
    for parameter in net.conv_out.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    net.eval()
    assert torch.equal(net(x, t, context=one), net(x, t, context=two)), "its last layers start at zero"
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    net(x, t, context=one).square().mean().backward()
    optimiser.step()
    assert (net(x, t, context=one) - net(x, t, context=two)).abs().max() > 1e-4


def test_every_attention_is_followed_by_one_to_the_context():
    count = sum(isinstance(module, CrossAttention) for module in UNet(VECTORS).modules())
    assert count == 1 + 2 + 1, "down, up and middle, all at 4 pixels"


def test_further_channels_are_read_but_not_predicted():
    config = replace(TEXT, inputs=3, context=0, vocabulary=0, outputs=2)
    net, (x, t) = randomised(UNet(config)), arguments(config)
    found = net(x, t)
    assert found.shape == (3, 8, 7, 7)
    x[1, 5] += 1
    assert ((net(x, t) - found).abs().amax((1, 2, 3)) > 1e-3).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("config", "context", "message"),
    [
        (VECTORS, None, "attends to a context: give its tokens"),
        (replace(VECTORS, context=0), torch.zeros(3, 4, 12), "attends to no context: leave it out"),
        (TEXT, torch.ones(3, 7, dtype=torch.int64), r"of shape \(B, 1 to 6\), not \(3, 7\)"),
        (TEXT, torch.ones(3, 0, dtype=torch.int64), r"of shape \(B, 1 to 6\), not \(3, 0\)"),
    ],
)
def test_a_context_that_does_not_fit_is_refused(config, context, message):
    with pytest.raises(ValueError, match=message):
        UNet(config)(*arguments(config), context=context)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context": -1}, "`context` of a U-Net is a whole number of at least 0, not -1"),
        ({"context": "wide"}, "`context` of a U-Net is a whole number of at least 0, not 'wide'"),
        ({"inputs": 0.5}, "`inputs` of a U-Net is a whole number of at least 0, not 0.5"),
        ({"context": 8, "vocabulary": 9, "tokens": 0}, "`tokens` of a U-Net is a whole number of at least 1, not 0"),
        ({"vocabulary": 9}, "with a vocabulary needs a context"),
    ],
)
def test_an_implausible_condition_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        UNetConfig(**options)


@pytest.mark.parametrize("config", [VECTORS, replace(TEXT, inputs=2)], ids=["vectors", "text"])
def test_it_is_built_again_from_its_checkpoint_and_in_one_graph(config):
    net, (x, t) = randomised(UNet(config)), arguments(config)
    context = torch.tensor([[1, 2, 0]] * 3) if config.vocabulary else torch.randn(3, 2, config.context)
    again = build(KINDS["unet"], facts_of(net).architecture, net.state_dict())
    found = net(x, t, context=context)
    assert torch.equal(again(x, t, context=context), found)
    compiled = torch.compile(net, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, t, context=context), found)
    low = again.to(torch.bfloat16)(x.bfloat16(), t, context=context if config.vocabulary else context.bfloat16())
    assert (low.float() - found).square().mean().sqrt() < 0.05 * found.std()


@pytest.mark.parametrize("width", [24, 128, 200])
def test_a_text_encoder_of_any_width_ignores_its_padding(width):
    encoder = randomised(TextEncoder(9, width, 4))
    vectors, attended = encoder(torch.tensor([[1, 2, 0, 0]]))
    assert attended.tolist() == [[True, True, False, False]]
    torch.testing.assert_close(vectors[:, :2], encoder(torch.tensor([[1, 2]])).vectors, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("file", ["flow", "meanflow"])
def test_a_checkpoint_of_before_there_were_conditions_is_read(file):
    config = load(shipped("digits", file)).unet().config
    assert (config.context, config.vocabulary, config.inputs) == (0, 0, 0)


def test_the_preset_for_latents_is_cheap():
    from samplerbench.sampling.timing import gflops

    costs = {}
    for name in ("mnist5k", "mnist5k-latent"):
        net, inputs = UNet(PRESETS[name]).eval(), arguments(PRESETS[name], batch=1)
        costs[name] = gflops(lambda net=net, inputs=inputs: net(*inputs))
    assert costs["mnist5k-latent"] < min(0.05, costs["mnist5k"] / 5)
