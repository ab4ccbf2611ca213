import torch

from samplerbench.methods import Linear, get
from samplerbench.methods.students.reflow import u_shaped
from samplerbench.testing.exact import normal
from samplerbench.testing.small_net import seeded_noise


def test_a_reflowed_network_has_straight_trajectories(flow_map):
    """Curvature: the mean square distance of the velocity from the chord of its trajectory."""
    eps = normal(500, 1, 4, 4)

    def curvature(field):
        def at(t):
            *_, x = get("flow[solver=rk4]").steps(field, eps, torch.linspace(1, t, 17, dtype=torch.float64), None)
            return x

        chord = eps - at(0.0)
        moments = Linear().along(torch.tensor([0.05, 0.35, 0.65, 0.95]))
        return max((field(at(now.t), now).p - chord).square().mean().item() for now in moments)

    assert curvature(flow_map.teacher) > 0.05
    assert curvature(flow_map.perfect("reflow")) < 1e-12


def test_training_times_have_a_u_shaped_density():
    a, t = 4.0, u_shaped(seeded_noise(0), torch.empty(200_000, 1, 1, 1, dtype=torch.float64), 4.0)
    edges = torch.linspace(0, 1, 11, dtype=torch.float64)
    shares = torch.histogram(t, edges).hist / len(t)
    total = (torch.exp(a * edges) - torch.exp(a * (1 - edges))) / (2 * (torch.tensor(a).exp() - 1))
    torch.testing.assert_close(shares, total.diff(), rtol=0, atol=4e-3)
