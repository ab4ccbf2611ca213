"""What the names in EDM-type pickles stand for: modules as plain holders, and tensors, from checked arguments alone."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from math import prod
from typing import Any

import torch
from torch import Tensor

from samplerbench.networks.research.pickle_machine import Meanings, Name, Stateful, read_pickle

MAGIC = 0x1950A86A20F9469CFC6C  # with which a file of torch.save in its old format begins
STORAGES = {
    "torch.FloatStorage": torch.float32, "torch.DoubleStorage": torch.float64, "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16, "torch.LongStorage": torch.int64, "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16, "torch.CharStorage": torch.int8, "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}  # fmt: skip
SCALARS = {"f8": "d", "f4": "f", "i8": "q", "i4": "i", "b1": "?"}  # NumPy's types, as `struct` names them
DIMENSIONS = 8


@dataclass
class Module(Stateful):
    """An object of a class that is not here: the name of its class, and its attributes."""

    kind: str
    state: dict[str, Any]

    def set_state(self, state: Any) -> None:
        if type(state) is not dict or self.state:
            raise ValueError(f"the state of a {self.kind} is no dictionary")
        self.state = state

    def attribute(self, name: str, kind: type) -> Any:
        """The attribute of this type. Raises ValueError if there is none."""
        value = self.state.get(name)
        if type(value) is not kind:
            raise ValueError(f"its {self.kind[:40]} has no {name} of type {kind.__name__}")
        return value


def _persistent(meta: Any) -> Module:
    """What torch_utils.persistence stores of an object. Its source code, `module_src`, is ignored."""
    kind, state = meta["class_name"], meta["state"]
    if meta["type"] != "class" or type(kind) is not str or type(state) is not dict:
        raise ValueError("a persistent object is not as torch_utils.persistence stores it")
    return Module(kind, state)


def _module_dict() -> Module:
    return Module("ModuleDict", {})


def _dictionary() -> dict[str, Any]:
    return {}


class _Number(Stateful):
    """A data type of NumPy."""

    def __init__(self, kind: str, align: bool, copy: bool):
        self.format = SCALARS[kind]

    def set_state(self, state: Any) -> None:
        if state[1] not in ("<", "|"):
            raise ValueError("a number of NumPy is not stored in little-endian order")


def _scalar(kind: _Number, data: bytes) -> float | int | bool:
    if type(kind) is not _Number:
        raise TypeError("a number of NumPy has no type")
    return struct.unpack(f"<{kind.format}", data)[0]


def _set(values: Any) -> set[str]:
    if type(values) is not list or not all(type(value) is str for value in values):
        raise TypeError("a set holds something else than texts")
    return set(values)


def _device(*_: Any) -> str:
    """A torch.device: where the tensor was does not matter."""
    return "cpu"


def _size(values: Any) -> tuple[int, ...]:
    return _whole(values)


def _whole(values: Any) -> tuple[int, ...]:
    """Sizes or strides. Raises ValueError for anything else."""
    if type(values) is not tuple or len(values) > DIMENSIONS:
        raise ValueError("the shape of a tensor is impossible")
    if any(type(value) is not int or not 0 <= value < 2**48 for value in values):
        raise ValueError("the shape of a tensor is impossible")
    return values


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """A view of a storage, which has to hold as many numbers."""
    size, stride, (offset,) = _whole(size), _whole(stride), _whole((offset,))
    if not isinstance(storage, Tensor) or storage.ndim != 1 or len(size) != len(stride):
        raise ValueError("a tensor has no storage")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if prod(size) and (last >= len(storage) or prod(size) > len(storage)):
        raise ValueError(f"a tensor of shape {size} has a storage of {len(storage)} numbers")
    return storage.as_strided(size, stride, offset) if prod(size) else storage.new_empty(size)


def _parameter(data: Any, *_: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise ValueError("a parameter is no tensor")
    return data


@dataclass(frozen=True)
class _Declared:
    """A storage that a pickle refers to: its type, its key and the count of its numbers."""

    dtype: torch.dtype
    key: str
    count: int


def _declared(identity: Any) -> _Declared:
    kind, name, key, _, count, *_ = identity
    if kind != "storage" or not isinstance(name, Name) or type(key) is not str or type(count) is not int:
        raise ValueError("a storage is not as torch stores it")
    return _Declared(STORAGES[name.text], key, count)


def _storage(data: Any) -> Tensor:
    """The numbers (n,) of a storage, as torch.save wrote it in its old format: five pickles, and the bytes."""
    if type(data) is not bytes:
        raise ValueError("a storage is no bytes")
    stream = BytesIO(data)
    magic, _, system = (read_pickle(stream, {}) for _ in range(3))
    if magic != MAGIC or not isinstance(system, Mapping) or system.get("little_endian") is not True:
        raise ValueError("a storage is not as torch stores it on a little-endian machine")
    declared, keys = read_pickle(stream, dict.fromkeys(STORAGES), _declared), read_pickle(stream, {})
    if type(declared) is not _Declared or keys != [declared.key]:
        raise ValueError("a storage is not as torch stores it")
    count = int.from_bytes(stream.read(8), "little", signed=True)
    numbers = memoryview(data)[stream.tell() :]
    if count != declared.count or count < 0 or len(numbers) != count * declared.dtype.itemsize:
        raise ValueError(f"a storage of {declared.count} numbers has {len(numbers)} bytes")
    return torch.frombuffer(bytearray(numbers), dtype=declared.dtype) if count else torch.empty(0)


MEANINGS: Meanings = {
    "torch_utils.persistence._reconstruct_persistent_obj": _persistent,
    "torch.nn.modules.container.ModuleDict": _module_dict,
    "dnnlib.util.EasyDict": _dictionary,
    "collections.OrderedDict": _dictionary,
    "builtins.set": _set,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.storage._load_from_bytes": _storage,
    "torch.Size": _size,
    "torch.device": _device,
    "torch.float32": None,
    "torch.float16": None,
    "numpy.dtype": _Number,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
}
