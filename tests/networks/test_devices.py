import pytest
import torch

from samplerbench.errors import InputError
from samplerbench.networks.devices import layout_for, measuring_device, pick_device


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


@pytest.fixture
def _restored():
    """The settings of torch's back ends are put back."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
    yield
    matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before


def backends() -> list[bool]:
    return [torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark]


@pytest.mark.usefixtures("_restored")
def test_float32_is_full_float32_unless_asked_otherwise(monkeypatch):
    torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    measuring_device("cpu")
    assert backends() == [False, False, False]
    monkeypatch.setattr("samplerbench.networks.devices.pick_device", torch.device)
    measuring_device("cuda", "tf32", cudnn_benchmark=True)
    assert backends() == [True, True, True]
    assert layout_for(torch.device("cuda"), torch.float32) == torch.channels_last


@pytest.mark.parametrize("options", [{"dtype": "tf32"}, {"cudnn_benchmark": True}])
def test_settings_of_a_gpu_are_refused_elsewhere(options):
    with pytest.raises(InputError, match="needs an NVIDIA GPU, and the device is cpu: leave it out"):
        measuring_device("cpu", **options)


@pytest.mark.usefixtures("_restored")
def test_the_layout_follows_what_convolutions_prefer():
    measuring_device("cpu")
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert layout_for(cpu, torch.float32) == layout_for(gpu, torch.bfloat16) == torch.channels_last
    assert layout_for(gpu, torch.float32) == torch.contiguous_format
