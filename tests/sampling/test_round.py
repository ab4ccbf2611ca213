from math import isnan

import pytest

from samplerbench.sampling.measure import Measurement
from samplerbench.sampling.round import Round


def test_the_latency_is_the_networks_the_samplers_and_the_decoders():
    each = Round(sampling=2.0, inside=1.5, forward=0.5, nfe=4, decoding=0.25)
    assert each.latency == each.inside + each.outside + each.decoding == 2.25


def test_ratios_leave_the_decoder_out():
    decoded, plain = (Round(2.0, 1.6, 0.4, 4, decoding) for decoding in (10.0, 0.0))
    assert decoded.overhead == plain.overhead == 2.0 / (4 * 0.4)
    assert decoded.inner == plain.inner == 1.25
    assert isnan(Round(2.0, 0.0, 0.4, 0).overhead)


def test_the_columns_of_a_cell_are_the_medians_of_its_rounds():
    found = Measurement(8, evaluations=[4.0], rounds=[Round(s, s - 0.5, 0.4, 4, 0.25) for s in (1.0, 2.0, 9.0)])
    speed = found.speed()
    assert (speed["network_s"], speed["sampler_s"], speed["decoder_s"]) == (1.5, 0.5, 0.25)
    assert speed["latency_s"] == speed["network_s"] + speed["sampler_s"] + speed["decoder_s"]
    assert speed["overhead_ratio"] == pytest.approx(2.0 / (4 * 0.4))
    assert speed["images_per_s"] == 8 / 2.25
