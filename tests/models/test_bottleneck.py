import pytest
import torch
from torch.distributions import Normal, kl_divergence

from samplerbench.models.bottleneck import COMMITMENT, KL_WEIGHT, Codebook, GaussianPosterior


@pytest.fixture
def codebook():
    """Eight codes of two numbers, all in use."""
    torch.manual_seed(0)
    codebook = Codebook(8, 2)
    codebook.usage.fill_(1 / 8)
    return codebook


def test_the_penalty_of_a_gaussian_is_its_divergence_from_the_standard_normal():
    torch.manual_seed(0)
    mean, log_variance = 2 * torch.randn(2, 3, 4, 5, 5)
    exact = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).mean((1, 2, 3))
    _, penalty = GaussianPosterior(4)(torch.cat((mean, log_variance), dim=1))
    torch.testing.assert_close(penalty, KL_WEIGHT * exact)


def test_a_posterior_is_sampled_in_training_and_its_mean_encodes():
    torch.manual_seed(0)
    mean, log_variance = torch.full((1, 2, 100, 100), 3.0), torch.full((1, 2, 100, 100), -4.0)
    posterior, encoded = GaussianPosterior(2), torch.cat((mean, log_variance), dim=1)
    sampled, _ = posterior(encoded)
    assert sampled.mean().item() == pytest.approx(3, abs=0.01)
    assert sampled.std().item() == pytest.approx(torch.tensor(-2.0).exp().item(), rel=0.05)
    assert torch.equal(posterior.latents(encoded), mean)


def test_perturbations_below_half_the_distance_of_codes_are_quantised_away(codebook):
    chosen, generator = torch.arange(8).view(1, 2, 4), torch.Generator().manual_seed(0)
    codes = codebook.codes.detach()
    exact = codes[chosen].permute(0, 3, 1, 2)
    radius = torch.pdist(codes).min() / 2
    directions = torch.nn.functional.normalize(torch.randn(100, 2, 2, 4, generator=generator), dim=1)
    assert torch.equal(codebook.restored(exact + 0.99 * radius * directions), exact.expand(100, -1, -1, -1))
    assert not torch.equal(codebook.restored(exact + 10 * radius * directions), exact.expand(100, -1, -1, -1))


def test_the_gradient_passes_straight_through_and_both_sides_of_the_error_are_trained(codebook):
    encoded = torch.randn(3, 2, 4, 4, requires_grad=True)
    decoded, penalty = codebook(encoded)
    assert torch.allclose(decoded, codebook.restored(encoded))
    error = (encoded - decoded).detach()
    torch.testing.assert_close(penalty, (1 + COMMITMENT) * error.square().mean((1, 2, 3)))
    (gradient,) = torch.autograd.grad(decoded.sum(), encoded, retain_graph=True)
    assert torch.equal(gradient, torch.ones_like(gradient))
    penalty.sum().backward()
    torch.testing.assert_close(encoded.grad, COMMITMENT * 2 * error / 32)
    assert codebook.codes.grad is not None
    torch.testing.assert_close(codebook.codes.grad.sum(0), -2 * error.sum((0, 2, 3)) / 32)


def test_codes_without_pixels_are_moved_to_pixels_and_others_are_kept(codebook):
    codebook.usage[:4] = 0
    before, encoded = codebook.codes.detach().clone(), 5 + torch.randn(3, 2, 4, 4)
    codebook(encoded)
    pixels = encoded.permute(0, 2, 3, 1).flatten(0, 2)
    assert torch.equal(codebook.codes[4:], before[4:])
    assert all((pixels == code).all(1).any() for code in codebook.codes[:4])


def test_no_code_of_a_new_codebook_stays_unused():
    """The data are far from the random codes, so that only one or two would be nearest to anything."""
    torch.manual_seed(0)
    codebook, encoded = Codebook(8, 2), 100 + torch.randn(400, 1, 2, 8, 8)
    assert codebook.nearest(encoded.flatten(0, 1)).unique().numel() < 3
    for batch in encoded:
        codebook(batch)
    assert codebook.nearest(encoded.flatten(0, 1)).unique().numel() == 8
    assert codebook.usage.sum().item() == pytest.approx(1, abs=0.1)


def test_evaluation_changes_no_code(codebook):
    codebook.usage.zero_()
    before = {name: value.clone() for name, value in codebook.state_dict().items()}
    codebook.eval()(torch.randn(3, 2, 4, 4))
    assert all(torch.equal(value, before[name]) for name, value in codebook.state_dict().items())
