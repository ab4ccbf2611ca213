import json
import re
from dataclasses import replace

import pytest
import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError
from samplerbench.methods import get_guidance
from samplerbench.models import CheckpointError, UNet, UNetConfig, load, save, shipped
from samplerbench.networks.checkpoints import load_network
from samplerbench.networks.teachers import with_teachers

DIGITS = DATASETS.get("digits")


@pytest.fixture
def beside(tmp_path):
    """beside(name, guidances=(), needed=True, dtype=...): a network of the user's own folder with its teacher."""

    def beside(name, guidances=(), needed=True, dtype=torch.float32):
        student = load_network(name, DIGITS, str(tmp_path), torch.device("cpu"), dtype)
        return with_teachers({name: student}, guidances, DIGITS, str(tmp_path), needed)[name]

    return beside


def test_a_student_has_its_teacher_beside_it(tmp_path, make_student, beside):
    make_student(tmp_path)
    student = beside("ot_flow", [get_guidance("auto")])
    assert (student.name, student.teacher.name) == ("ot_flow", "flow")
    assert student.teacher.origin.source == "shipped"
    assert student.teacher.guides["weak"].origin.digest == load(shipped("digits", "flow-weak")).digest


def test_the_users_own_teacher_takes_precedence_over_the_shipped_one(tmp_path, make_student, beside):
    make_student(tmp_path)
    weak = load(shipped("digits", "flow-weak"))
    own = tmp_path / "digits" / "flow.safetensors"
    save(own, weak.weights, weak.metadata)
    assert beside("ot_flow").teacher.origin.source == str(own)


def test_an_undistilled_network_has_no_teacher(beside):
    assert beside("flow").teacher is None


def test_students_of_one_teacher_share_it(tmp_path, make_student, load):
    make_student(tmp_path)
    student = load_network("ot_flow", DIGITS, str(tmp_path), torch.device("cpu"))
    networks = {"one": student, "other": replace(student), "none": load("flow")}
    found = with_teachers(networks, [], DIGITS, str(tmp_path), needed=True)
    assert found["one"].teacher is found["other"].teacher is not None
    assert found["none"].teacher is None


def test_the_teacher_of_a_low_precision_student_is_solved_in_single_precision(tmp_path, make_student, beside):
    make_student(tmp_path)
    student = beside("ot_flow", dtype=torch.bfloat16)
    assert (student.dtype, student.teacher.dtype) == (torch.bfloat16, torch.float32)


def test_a_missing_teacher_is_an_error_where_it_is_needed_and_none_elsewhere(tmp_path, make_student, beside):
    make_student(tmp_path, origin="edm")
    with pytest.raises(InputError, match=r"teacher_distance needs the teacher of ot_flow\. .*`bench train edm "):
        beside("ot_flow", needed=True)
    assert beside("ot_flow", needed=False).teacher is None


def test_a_teacher_with_other_classes_is_rejected(tmp_path, make_student, beside):
    make_student(tmp_path)
    checkpoint = load(shipped("digits", "flow"))
    config = json.loads(checkpoint.metadata["architecture"]) | {"classes": 0}
    weights = UNet(UNetConfig(**config)).state_dict()
    path = tmp_path / "digits" / "flow.safetensors"
    save(path, weights, checkpoint.metadata | {"architecture": json.dumps(config)})
    with pytest.raises(CheckpointError, match=f"other classes than those of {re.escape(str(path))}"):
        beside("ot_flow")
