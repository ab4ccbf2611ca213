"""Teachers: trained networks from which students learn, with a count of what they are asked."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from samplerbench.data.datasets import Dataset
from samplerbench.methods import Field, Recipe, get_recipe
from samplerbench.models import Checkpoint, CheckpointError, UNet, load
from samplerbench.networks.backbone import find_checkpoint, trained_path, trained_unet
from samplerbench.networks.training_cost import NOTHING, Cost, read_cost


class Counted:
    """A network whose evaluations of single images are counted."""

    def __init__(self, net: nn.Module):
        self.net, self.evaluations = net, 0

    def __call__(self, x: Tensor, *rest: Tensor | None) -> Tensor:
        self.evaluations += len(x)
        return self.net(x, *rest)


@dataclass(frozen=True)
class Teacher:
    """A trained network in evaluation mode, without gradients.

    field: asked through `net`, which counts.
    origin: the recipe at the head of the chain of teachers.
    cost: of the stages that the teacher itself took.
    """

    recipe: Recipe
    checkpoint: Checkpoint
    unet: UNet
    net: Counted
    field: Field
    origin: str
    cost: Cost

    @property
    def facts(self) -> dict[str, str]:
        """What a student's checkpoint says of it."""
        return {"teacher": str(self.recipe), "teacher_digest": self.checkpoint.digest, "origin": self.origin}


def load_teacher(recipe: str, dataset: Dataset, folder: str | None, device: torch.device) -> Teacher:
    """The trained network of a recipe. Raises InputError if it is missing, CheckpointError if it does not fit."""
    recipe = get_recipe(recipe)
    checkpoint = load(find_checkpoint(folder, dataset.name, str(recipe)))
    unet = trained_unet(checkpoint, str(recipe), dataset)
    if unet.config.classes != dataset.classes:
        raise CheckpointError(
            f"{checkpoint.path} was trained for other classes than those of {dataset.name}: retrain it."
        )
    net = Counted(unet.requires_grad_(False).to(device))
    field = Field(net, trained_path(recipe, checkpoint), recipe.target, interval=unet.config.interval)
    spent = read_cost(checkpoint)
    origin, spent = (spent.teacher, spent) if spent.teacher else (str(recipe), NOTHING)
    return Teacher(recipe, checkpoint, unet, net, field, origin, spent)


def begin_with(net: nn.Module, teacher: UNet) -> None:
    """Copy the teacher's weights into a student, as far as both have them.

    Embeddings of time at another scale start afresh: their layers read other waves.
    """
    own, weights = net.state_dict(), teacher.state_dict()
    if net.config.time_scale != teacher.config.time_scale:
        weights = {key: value for key, value in weights.items() if not key.startswith("time.")}
    shared = {key: value for key, value in weights.items() if key in own and own[key].shape == value.shape}
    net.load_state_dict(own | shared)
