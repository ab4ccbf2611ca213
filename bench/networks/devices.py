"""Devices and number formats by name, and how a GPU is set to compute."""

import torch

from samplerbench.errors import InputError

TF32 = "tf32"  # float32, whose products round their inputs to 10 bits
DTYPES = {
    "float32": torch.float32, TF32: torch.float32, "float64": torch.float64,
    "bfloat16": torch.bfloat16, "float16": torch.float16,
}  # fmt: skip


def pick_device(name: str) -> torch.device:
    """`auto` is the first GPU if there is one, else the CPU. Raises InputError for a device that is not available."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"The device {name!r} is not available here: use --device cpu, or auto.") from error
    return device


def measuring_device(name: str, dtype: str = "float32", cudnn_benchmark: bool = False) -> torch.device:
    """The device of that name, set up for a measurement: the one place that says how a GPU computes.

    Without it, torch lets cuDNN round the inputs of float32 convolutions to TF32. dtype: tf32 allows that, for matrix
    products too. cudnn_benchmark: cuDNN times its algorithms for every shape, and takes the fastest.
    Raises InputError if the device is not available, or for a setting that needs an NVIDIA GPU on any other device.
    """
    device = pick_device(name)
    for option, given in (("--dtype tf32", dtype == TF32), ("--cudnn-benchmark", cudnn_benchmark)):
        if given:
            require_cuda(device, option)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = dtype == TF32
    torch.backends.cudnn.benchmark = cudnn_benchmark
    return device


def require_cuda(device: torch.device, option: str) -> None:
    """Raise InputError unless the device is an NVIDIA GPU, which an option needs."""
    if device.type != "cuda":
        raise InputError(f"{option} needs an NVIDIA GPU, and the device is {device}: leave it out.")


def layout_for(device: torch.device, dtype: torch.dtype) -> torch.memory_format:
    """The memory layout in which convolutions of this precision are fastest.

    Tensor cores multiply along the channels, so that cuDNN transposes anything but channels-last for them. Plain
    float32 on a GPU has no such preference, and group norm works on contiguous channels there. On the CPU,
    channels-last takes 0.8 to 1.0 of the time (docs/using.md).
    """
    tensor_cores = dtype in (torch.bfloat16, torch.float16) or torch.backends.cudnn.allow_tf32
    return torch.channels_last if device.type != "cuda" or tensor_cores else torch.contiguous_format
