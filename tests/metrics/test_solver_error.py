"""Metrics that run the sampler again: errors against the exact flow, a fine solution, a teacher's solution."""

from dataclasses import replace
from math import isnan
from types import SimpleNamespace

import pytest
import torch

from samplerbench.data.dataset import DATASETS, to_uint8
from samplerbench.methods import Sampler, get, get_guidance, get_recipe
from samplerbench.metrics.base import METRICS
from samplerbench.metrics.neighbours import mean_distance
from samplerbench.metrics.solver_error import fitted_order
from samplerbench.networks.checkpoints import load_network
from samplerbench.sampling import reference
from samplerbench.sampling.generate import generate
from samplerbench.sampling.noise import ImageNoise


@pytest.fixture
def few(monkeypatch):
    """As many images as it takes to tell near from far, and a solution as fine as that takes."""
    monkeypatch.setattr(reference, "IMAGES", 4)
    monkeypatch.setattr(reference, "FINE", "pf_ode[solver=dopri5,rtol=0.0001,atol=0.0001]")


def evaluated(name, method, steps, network, real=None, block=0, recipe=None, **options) -> dict[str, float]:
    """The columns of a metric for a method on a network."""
    sampler = Sampler(get(method), steps, trained=recipe and get_recipe(recipe), **options)
    return METRICS.get(name).evaluate(sampler, network, block, real)


def trajectory_rmse(*arguments, **options) -> float:
    return evaluated("trajectory_rmse", *arguments, **options)["trajectory_rmse"]


# Against a fine solution of the network's own ODE


def test_the_trajectory_error_falls_with_the_steps(few, flow_network, ddpm_network):
    for method, network in (("flow", flow_network), ("ddim", ddpm_network)):  # both of first order
        assert 1.5 < trajectory_rmse(method, 4, network) / trajectory_rmse(method, 8, network) < 3


def test_the_trajectory_error_of_latents_is_that_of_their_images(few, flow_network):
    decoded = replace(flow_network, decode=lambda states: 3 * states)
    assert trajectory_rmse("flow", 4, decoded) == pytest.approx(3 * trajectory_rmse("flow", 4, flow_network))


def test_the_trajectory_error_on_exact_data_is_against_the_exact_flow(load):
    network = load("ddpm", "mixture")
    first, second = (trajectory_rmse("ddim", steps, network) for steps in (10, 40))
    assert first / second == pytest.approx(4, rel=0.35)
    assert trajectory_rmse("unipc", 40, network) < second / 10


def test_the_trajectory_error_is_undefined_for_samplers_that_draw_noise_and_for_students(few, load, ddpm_network):
    assert isnan(trajectory_rmse("ddpm", 4, ddpm_network))
    assert isnan(trajectory_rmse("knowledge", 1, load("knowledge")))


def test_the_trajectory_error_is_against_the_guided_solution(few, flow_network):
    guidance = get_guidance("3")
    guided = trajectory_rmse("flow[solver=rk4]", 16, flow_network, guidance=guidance)
    assert guided < 0.02
    images = generate(Sampler(get("flow[solver=rk4]"), 16, guidance=guidance), flow_network, ImageNoise(0, range(4)))
    unguided = reference.reference_solution(flow_network, 0)
    assert reference.rmse(images.images, unguided) > 5 * guided


# Against the teacher's


@pytest.fixture
def student(tmp_path, make_student, flow_network):
    """The shipped `flow` again, as a student of itself."""
    make_student(tmp_path)
    loaded = load_network("ot_flow", DATASETS.get("digits"), str(tmp_path), torch.device("cpu"))
    return replace(loaded, teacher=flow_network)


def teacher_distance(*arguments, **options) -> tuple[float, float]:
    columns = evaluated("teacher_distance", *arguments, **options)
    return columns["teacher_rmse"], columns["teacher_feature_distance"]


def test_a_student_that_is_its_teacher_is_at_no_distance_once_it_is_solved_finely(few, real, student, flow_network):
    (coarse, far), (fine, near) = (
        teacher_distance("flow[solver=rk4]", steps, student, real, recipe="ot_flow") for steps in (1, 16)
    )
    assert 0 < fine < 0.01
    assert coarse > 0.1
    assert 0 <= near < 0.05, "a pixel or two are rounded otherwise"
    assert far > 0.2
    ordinary = [teacher_distance("flow[solver=rk4]", steps, flow_network, real) for steps in (1, 16)]
    for ours, theirs in zip([(coarse, far), (fine, near)], ordinary, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
    assert ordinary[1][0] == trajectory_rmse("flow[solver=rk4]", 16, flow_network), "it is its own teacher"
    assert isnan(trajectory_rmse("flow[solver=rk4]", 16, student, recipe="ot_flow")), "a student follows no ODE"


def test_images_of_other_noise_and_labels_are_as_far_as_two_real_images(monkeypatch, real, flow_network):
    monkeypatch.setattr(reference, "IMAGES", 64)
    other = generate(Sampler(get("flow"), 16), flow_network, ImageNoise(1, range(64))).images
    monkeypatch.setattr(reference, "reference_solution", lambda *_, **__: other)
    rmse, distance = teacher_distance("flow", 16, flow_network, real)
    assert 0.9 < distance < 1.1
    assert teacher_distance("flow", 16, flow_network, real, block=1) == (0, 0)
    assert rmse > 0.5


def test_the_feature_distance_is_the_mean_over_pairs_in_units_of_two_real_images(few, real, flow_network):
    _, found = teacher_distance("flow", 2, flow_network, real)
    images = generate(Sampler(get("flow"), 2), flow_network, ImageNoise(0, range(4))).images
    solution = reference.reference_solution(flow_network, 0)
    ours, theirs = (real.extractor(to_uint8(each)) for each in (images, solution))
    expected = torch.stack([torch.dist(a, b) for a, b in zip(ours, theirs, strict=True)]).mean()
    assert found == pytest.approx(expected.item() / mean_distance(real.reference), rel=1e-9)


def test_there_is_no_distance_for_samplers_that_draw_noise_nor_without_a_teacher(few, monkeypatch, real, student):
    monkeypatch.setattr(reference, "FINE", "pf_ode")  # one step
    assert all(map(isnan, teacher_distance("euler_ancestral", 2, student, real, recipe="ot_flow")))
    assert teacher_distance("flow", 2, student, real, recipe="ot_flow")[0] > 0
    alone = replace(student, teacher=None)
    assert all(map(isnan, teacher_distance("flow", 2, alone, real, recipe="ot_flow")))


def test_teacher_and_student_each_start_from_the_spread_of_their_own_path(few, monkeypatch, flow_network, ddpm_network):
    """The teacher's path ends in noise of standard deviation 50, the student's in 1: both get the same numbers."""
    monkeypatch.setattr(reference, "FINE", "pf_ode")  # one step
    ve = get_recipe("ve")
    teacher = replace(ddpm_network, name="ve", path=ve.path, target=ve.target)
    student = replace(flow_network, teacher=teacher, provides=flow_network.provides - {"ode"})
    seen = []
    handles = [each.eager.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
               for each in (student, teacher)]  # fmt: skip
    images_alone = SimpleNamespace(extractor=lambda images: images.flatten(1).double(), once=lambda *_: 1.0)
    try:
        teacher_distance("flow", 1, student, images_alone)
    finally:
        for handle in handles:
            handle.remove()
    torch.testing.assert_close(seen[1] / seen[0], torch.full_like(seen[0], ve.path.prior_std))


# The order of convergence


@pytest.mark.parametrize(("method", "order", "tolerance"), [("ddim", 1, 0.05), ("unipc", 4, 0.2)])
def test_the_fitted_order_is_the_declared_one(method, order, tolerance, load):
    network = load("ddpm", "mixture")
    found = evaluated("order", method, 10, network)
    assert found["order"] == pytest.approx(order, abs=tolerance)
    assert found["order_declared"] == order


def test_the_order_is_fitted_once_for_each_network_and_method(load, monkeypatch):
    network, method = replace(load("ddpm", "mixture")), get("ddim")
    first = fitted_order(method, network)
    monkeypatch.setattr(reference, "exact_flow", None)  # not needed again
    assert fitted_order(method, network) == first


def test_a_solver_that_declares_no_order_has_none():
    assert all(map(isnan, evaluated("order", "ddpm", 10, None).values()))


def test_there_is_no_order_where_the_flow_is_unknown(flow_network):
    with pytest.raises(ValueError, match="is a trained network: its exact flow is unknown"):
        fitted_order(get("flow"), flow_network)
