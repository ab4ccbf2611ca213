"""Teachers: the trained networks from which students are distilled."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from samplerbench.data.dataset import Dataset
from samplerbench.methods import Field, get_recipe
from samplerbench.models import CheckpointError, CheckpointFacts, UNet
from samplerbench.networks.checkpoints import load_network
from samplerbench.networks.counted import CountedNetwork
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.networks.training_cost import NOTHING, TrainingCost


@dataclass(frozen=True)
class Teacher:
    """A network in evaluation mode, without gradients, and the counter through which its field evaluates it."""

    network: LoadedNetwork
    counted: CountedNetwork

    @property
    def field(self) -> Field:
        """The field that a student's loss receives."""
        return self.network.field(self.counted)

    def recorded(self, facts: CheckpointFacts) -> CheckpointFacts:
        """The facts of a student's checkpoint, completed by its teacher and the root of its teachers."""
        network = self.network
        root = network.origin.cost.teacher or network.name
        return replace(facts, teacher=network.name, teacher_digest=network.origin.digest, origin=root)


def load_teacher(recipe: str, dataset: Dataset, folder: str | None, device: torch.device) -> Teacher:
    """The trained network of a recipe. Raises InputError if it is missing, CheckpointError if it does not fit."""
    network = load_network(str(get_recipe(recipe)), dataset, folder, device)
    if network.classes != dataset.classes:
        raise CheckpointError(
            f"The checkpoint of {network.name} ({network.origin}) was trained for other classes than those of "
            f"{dataset.name}: retrain it."
        )
    return Teacher(network, CountedNetwork(network.eager))


def cost_of_stages(network: LoadedNetwork) -> TrainingCost:
    """What a network adds to the cost of a student that starts from it: nothing if it is not distilled itself."""
    return network.origin.cost if network.origin.cost.teacher else NOTHING


def init_from_teacher(student: UNet, teacher: UNet) -> None:
    """Copy the weights that a student shares with its teacher, a U-Net.

    If the scale of the time embedding differs, that embedding keeps its own weights, since its inputs differ. Input
    channels that only the student has start with weights of zero.
    """
    own, weights = student.state_dict(), teacher.state_dict()
    if student.config.inputs and not teacher.config.inputs:
        weights["conv_in.weight"] = F.pad(weights["conv_in.weight"], (0, 0, 0, 0, 0, student.config.inputs))
    if student.config.time_scale != teacher.config.time_scale:
        weights = {key: value for key, value in weights.items() if not key.startswith("time.")}
    shared = {key: value for key, value in weights.items() if key in own and own[key].shape == value.shape}
    student.load_state_dict(own | shared)
