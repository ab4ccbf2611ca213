import pytest
import torch

from samplerbench.errors import InputError
from samplerbench.networks.devices import pick_device


@pytest.mark.parametrize(("available", "device"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_the_gpu_if_there_is_one(available, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert pick_device("auto") == torch.device(device)


def test_a_device_is_found_by_its_name():
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:99"])
def test_a_device_that_is_not_available_is_an_error_that_names_it(name):
    with pytest.raises(InputError, match=f"The device '{name}' is not available here: use --device cpu, or auto"):
        pick_device(name)
