"""Flow matching with noise paired to the data by minibatch optimal transport (arXiv 2302.00482, 2304.14772)."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from samplerbench.methods.core.path import Linear
from samplerbench.methods.core.recipe import Recipe, regression_loss, uniform
from samplerbench.methods.core.registry import register


@register("ot_flow")
@dataclass(frozen=True)
class OTFlowRecipe(Recipe):
    """|| v(x_t, t) - (eps - x0) ||^2 as in `flow`, with noise paired to the images of each batch by optimal transport.

    Pairs are made within each label (2302.00482, algorithm 3), since the noise must stay independent of the class:
    sampling draws it without regard to the class. The null class counts as a label.
    """

    path = Linear()
    target = "velocity"
    coupled = True

    def loss(self, field, x0, label, noise, teacher):
        eps = paired(x0, noise(x0), label)
        return regression_loss(field, x0, label, uniform(noise, x0), lambda _: eps)


def paired(x0: Tensor, eps: Tensor, label: Tensor | None) -> Tensor:
    """eps (B, C, H, W), permuted within each label (B,) to minimise the total squared distance from x0, exactly."""
    label = torch.zeros(len(x0)) if label is None else label
    # The norms are the same for every pairing, so the smallest distance means the largest inner product.
    products = (x0.flatten(1).double() @ eps.flatten(1).double().T).cpu().numpy()
    permutation = torch.arange(len(x0))
    for value in label.unique():
        group = (label == value).nonzero().flatten().cpu().numpy()
        _, chosen = linear_sum_assignment(products[np.ix_(group, group)], maximize=True)
        permutation[group] = torch.from_numpy(group[chosen])
    return eps[permutation.to(eps.device)]
