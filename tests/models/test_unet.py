from dataclasses import replace

import pytest
import torch

from samplerbench.models import PRESETS, UNet, fitting

SMALL = replace(PRESETS["digits"], channels=16)


def randomised(config) -> UNet:
    """A network whose zero-initialised layers are not zero, so that its output depends on everything."""
    torch.manual_seed(0)
    net = UNet(config).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return net


@pytest.fixture(scope="module")
def net():
    return randomised(SMALL)


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 1, 8, 8, generator=generator), torch.rand(3, generator=generator), torch.tensor([1, 2, 3])


@pytest.mark.parametrize(("preset", "millions"), [("digits", 1), ("cifar10", 36)])
def test_presets_have_about_the_documented_size(preset, millions):
    with torch.device("meta"):
        net = UNet(PRESETS[preset])
    assert sum(parameter.numel() for parameter in net.parameters()) == pytest.approx(millions * 1e6, rel=0.1)


def test_no_label_is_the_null_class(net, inputs):
    x, t, label = inputs
    torch.testing.assert_close(net(x, t), net(x, t, torch.full((3,), 10)))
    assert (net(x, t) - net(x, t, label)).abs().max() > 1e-3


def test_images_of_a_batch_do_not_affect_each_other(net, inputs):
    whole = net(*inputs)
    for i in range(3):
        torch.testing.assert_close(net(*(value[i : i + 1] for value in inputs)), whole[i : i + 1], rtol=1e-4, atol=1e-5)


def test_the_output_depends_on_time_even_if_it_is_small(net, inputs):
    x, *_ = inputs
    early, late = net(x, torch.full((3,), 0.001)), net(x, torch.full((3,), 0.011))
    assert (early - late).abs().max() > 1e-3


def test_an_interval_network_sees_its_second_time(inputs):
    x, t, label = inputs
    net = randomised(replace(SMALL, interval=True, time_scale=1.0))
    assert (net(x, t, label, t / 2) - net(x, t, label, t / 4)).abs().max() > 1e-4
    with pytest.raises(ValueError, match="end time"):
        net(x, t, label)


def test_it_runs_in_bfloat16(net, inputs):
    x, t, label = inputs
    low = randomised(SMALL).to(torch.bfloat16)(x.bfloat16(), t, label)
    assert low.dtype == torch.bfloat16
    exact = net(*inputs)
    assert (low.float() - exact).square().mean().sqrt() < 0.03 * exact.std()


def test_memory_layout_does_not_change_the_result(net, inputs):
    nhwc = randomised(SMALL).to(memory_format=torch.channels_last)
    torch.testing.assert_close(nhwc(*inputs), net(*inputs), rtol=1e-4, atol=1e-4)


def test_it_compiles_without_graph_breaks(net, inputs):
    compiled = torch.compile(net, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*inputs), net(*inputs))


@pytest.mark.parametrize("name", sorted(PRESETS.keys() - {"mnist5k", "mnist5k-latent"}))  # which are for few images
def test_the_presets_are_fitting(name):
    preset = PRESETS[name]
    assert fitting(preset.resolution, preset.image_channels) == preset


@pytest.mark.parametrize(("side", "widths"), [(16, 3), (64, 4), (6, 2), (256, 4)])
def test_a_network_fits_any_even_side(side, widths):
    config = fitting(side, 3)
    assert len(config.multipliers) == widths
    with torch.device("meta"):
        assert UNet(config)(torch.zeros(1, 3, side, side), torch.zeros(1)).shape == (1, 3, side, side)
