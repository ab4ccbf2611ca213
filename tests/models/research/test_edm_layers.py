import torch
from torch import nn

from samplerbench.models.research.edm_layers import Fourier
from samplerbench.models.research.preconditioning import IDDPMPrecond, Preconditioned


def test_times_stay_exact_in_bfloat16():
    """Rates of 16 and more would turn its rounding into other times, and levels of a chain into their neighbours."""
    fourier, time = Fourier(32), torch.tensor([1.2, -0.7])
    fourier.freqs.copy_(16 * torch.randn(16, generator=torch.Generator().manual_seed(0)))
    levels = torch.linspace(80, 0, 1001)
    chain = Preconditioned(nn.Conv2d(3, 3, 1), IDDPMPrecond(M=1000))
    chain.u.copy_(levels)
    waves = fourier(time)
    torch.testing.assert_close(fourier.to(torch.bfloat16)(time), waves)
    torch.testing.assert_close(chain.to(torch.bfloat16).u, levels)
    assert chain.model.weight.dtype == torch.bfloat16
