"""Networks in the latents of an autoencoder, beside networks of images."""

from dataclasses import dataclass, field, replace
from typing import Literal

from samplerbench.data.dataset import DATASETS
from samplerbench.methods import get_recipe
from samplerbench.networks.latent import latent_space, load_latent
from samplerbench.networks.model import MODELS, Model
from samplerbench.networks.named import Named


@MODELS.register("latent")
@dataclass(frozen=True)
class Latent(Model):
    """The network that a recipe trained in the latents of an autoencoder, as in `latent:flow`.

    autoencoder: `kl` or `vq`. dataset: what both were trained on. weights: the folder of your own checkpoints.
    """

    recipe: str = field(metadata={"argument": "RECIPE"})
    autoencoder: Literal["kl", "vq"] = "kl"
    dataset: str = "mnist5k"
    weights: str | None = None

    def load(self, device, dtype, compiled):
        recipe = get_recipe(self.recipe)
        space = latent_space(DATASETS.get(self.dataset), self.autoencoder, self.weights, device)
        loaded = load_latent(str(recipe), space, self.weights, dtype, compiled)
        named = Named(recipe, str(self), loaded.provides)
        return replace(loaded, name=str(self), external=named, code=(*loaded.code, type(recipe)))
