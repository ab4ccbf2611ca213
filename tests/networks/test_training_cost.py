import json
from pathlib import Path

import pytest

from samplerbench.models import Checkpoint, CheckpointError
from samplerbench.networks.training_cost import NOTHING, UNKNOWN, TrainingCost, read_cost


def checkpoint(**metadata: str) -> Checkpoint:
    return Checkpoint(Path("some/file.safetensors"), {}, metadata, "123abc")


def test_a_recorded_cost_is_read_back():
    cost = TrainingCost("flow", 3000, 81.5, 1_234_567)
    assert read_cost(checkpoint(origin="flow", cost=str(cost))) == cost
    assert cost.columns == {
        "teacher": "flow", "train_iterations": 3000, "train_seconds": 81.5, "teacher_nfe": 1_234_567,
    }  # fmt: skip


def test_older_checkpoints_record_iterations_alone():
    assert read_cost(checkpoint(iterations="5000")) == TrainingCost("", 5000)
    assert read_cost(checkpoint()) == UNKNOWN


def test_costs_add_up_and_stay_unknown_where_one_is():
    stage, next_stage = TrainingCost("flow", 10, 1.5, 100), TrainingCost("", 5, 0.25, 7)
    assert stage + next_stage == TrainingCost("flow", 15, 1.75, 107)
    assert stage + NOTHING == stage
    assert stage + TrainingCost("", 5) == TrainingCost("flow", 15, None, None)


def test_seconds_are_written_to_a_tenth():
    assert json.loads(str(TrainingCost("", 1, 0.1 + 0.2, 0))) == {"iterations": 1, "seconds": 0.3, "teacher_nfe": 0}


@pytest.mark.parametrize(
    "damaged",
    [
        {"cost": "{"}, {"cost": "3"}, {"cost": "{}"}, {"cost": "[]"}, {"iterations": "many"},
        *({"cost": json.dumps({"iterations": 1, "seconds": value, "teacher_nfe": 0})} for value in (-1, None, "x")),
        {"cost": '{"iterations": 1, "seconds": Infinity, "teacher_nfe": 0}'},
    ],
)  # fmt: skip
def test_a_damaged_cost_names_the_file_and_what_is_wrong(damaged):
    ((name, value),) = damaged.items()
    with pytest.raises(CheckpointError) as caught:
        read_cost(checkpoint(**damaged))
    assert f"some/file.safetensors holds no valid training cost (its {name} is {value!r})" in str(caught.value)
