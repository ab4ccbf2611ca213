import torch
from torch import nn

from samplerbench.training.modules import TrainedModules, checkpoint_weights


def test_a_checkpoint_keeps_the_network_a_solver_and_a_path_under_the_names_of_older_files():
    parts = {name: nn.Linear(1, 1) for name in ("network", "solver", "path", "critic")}
    weights = {name: value for name, value in TrainedModules(parts).state_dict().items() if "bias" not in name}
    assert {name.partition(".")[0] for name in weights} == parts.keys()
    without_solver = {name: value for name, value in weights.items() if not name.startswith("solver")}
    assert checkpoint_weights(without_solver).keys() == {"weight", "path.weight"}
    assert torch.equal(checkpoint_weights(without_solver)["weight"], parts["network"].weight)
    assert checkpoint_weights({"solver.gaps.1": torch.zeros(1)}).keys() == {"gaps.1"}


def test_frozen_modules_in_evaluation_mode_become_trainable():
    frozen = nn.Sequential(nn.Dropout(), nn.Linear(1, 1)).eval().requires_grad_(False)
    modules = TrainedModules({"critic": frozen})
    assert all(parameter.requires_grad for parameter in modules.parameters())
    assert frozen[0].training
