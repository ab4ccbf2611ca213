"""EDM's preconditioning and distribution of noise levels, as a recipe (arXiv 2206.00364)."""

from dataclasses import dataclass
from math import pi

import torch

from samplerbench.methods.core.path import Trigonometric
from samplerbench.methods.core.recipe import Recipe, regression_loss
from samplerbench.methods.core.registry import register


@register("edm")
@dataclass(frozen=True)
class EDMRecipe(Recipe):
    r"""|| F(c_in y) - (x0 - c_skip y) / c_out ||^2,  y = x0 + sigma eps, ln sigma ~ N(-1.2, 1.2^2) (eq. 8, table 1).

    With s = sigma_data = 0.5 and sigma = s tan(pi/2 t), the state s c_in y lies on the trigonometric path, where its
    velocity is -pi/2 s F: the preconditioning is velocity prediction on that path (2410.11081, section 3). Up to these
    constant factors, inputs and targets of the network are EDM's, except that its time input is t instead of
    c_noise = ln(sigma) / 4.
    """

    path = Trigonometric()
    target = "velocity"

    def loss(self, field, x0, label, noise, teacher):
        sigma = (1.2 * noise(x0[:, 0, 0, 0]) - 1.2).exp()
        t = 2 / pi * torch.atan(sigma / self.path.data_std)
        # The velocity is pi/2 s times as large as F.
        return regression_loss(field, x0, label, t, noise) / (pi / 2 * self.path.data_std) ** 2
