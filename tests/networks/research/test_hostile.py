"""Hostile and damaged research checkpoints: one sentence, no code run, no time or memory taken for what they claim."""

import copyreg
import io
import os
import pickle
import resource
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from samplerbench.errors import InputError
from samplerbench.methods import SpecError
from samplerbench.models import CheckpointError, load
from samplerbench.networks.model import get_model, load_model
from samplerbench.networks.research import pickle_machine
from samplerbench.networks.research.imported import KEY, import_file

LIMIT = 5.0  # seconds for one file, of which most take milliseconds
OPTIONS = {
    "img_resolution": 4, "in_channels": 1, "out_channels": 1, "label_dim": 0, "model_channels": 4, "channel_mult": [1],
    "num_blocks": 1, "attn_resolutions": [], "dropout": 0.1, "embedding_type": "positional", "resample_filter": [1, 1],
}  # fmt: skip
LEVELS = {"sigma_min": 0, "sigma_max": float("inf"), "sigma_data": 0.5}


class Bomb:
    """Runs code when it is unpickled."""

    def __init__(self, canary: Path):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


@pytest.fixture(scope="module")
def weights(reference):
    found = reference.Weights("model.")
    options = {"kind": "SongUNet"} | OPTIONS
    reference.edm_unet(found, options, torch.zeros(1, 1, 4, 4).double(), torch.zeros(1).double(), None)
    return dict(found)


@pytest.fixture(scope="module")
def valid(reference, weights):
    """valid(change): the bytes of a pickle that can be imported, unless `change` has altered what is pickled.

    change: called with the preconditioning, the U-Net and the dictionary around both.
    """

    def made(change: Callable = lambda outer, inner, data: None, protocol: int = 4) -> bytes:
        outer = reference.Persistent("EDMPrecond", "raise SystemExit", {}, **LEVELS)
        inner = reference.Persistent("SongUNet", "raise SystemExit", OPTIONS)
        outer.add_module("model", inner)
        data = {"ema": reference.tree(outer, weights)}
        change(outer, inner, data)
        return reference.pickled(data, protocol)

    return made


@pytest.fixture
def refused(tmp_path) -> Callable[..., str]:
    """refused(content): the sentence with which a file is refused; empty if it is imported, which `may` allow."""
    canary, count = tmp_path / "canary", iter(range(10**6))

    def check(content: bytes, spec: str | None = None, may: bool = False, ending: str = "pkl") -> str:
        file = tmp_path / f"{next(count)}.{ending}"
        file.write_bytes(content)
        begun, message, output = time.perf_counter(), "", file.with_suffix(".out.safetensors")
        try:
            import_file(file, spec, output)
        except (InputError, SpecError) as error:
            message = str(error)
        assert time.perf_counter() - begun < LIMIT
        assert not canary.exists()
        assert message or may, "it was imported"
        assert not (message and output.exists())
        assert "\n" not in message
        assert len(message) < 500
        return message

    return check


@pytest.fixture(scope="module", autouse=True)
def _bounded() -> Iterator[None]:
    """All files together may take so much memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # kB


def test_the_file_that_is_damaged_below_is_valid(valid, refused):
    assert refused(valid(), may=True) == ""


# Code. Each payload is what a pickle has in place of the network, in opcodes.


def short(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()


def storage(content: bytes) -> bytes:
    """A storage of a tensor, with these bytes inside it."""
    return b"ctorch.storage\n_load_from_bytes\nB" + len(content).to_bytes(4, "little") + content + b"\x85R"


def declared(name: str, count: bytes, numbers: bytes) -> bytes:
    """A storage as torch.save writes it in its old format. count: the opcodes of what it claims to hold."""
    head = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    identity = b"(" + short("storage") + b"c" + name.encode() + b"\n" + short("0") + short("cpu") + count + b"NtQ."
    return head + b"\x80\x02" + identity + pickle.dumps(["0"], 2) + numbers


def payloads(canary: Path) -> dict[str, bytes]:
    bomb, command = Bomb(canary), f"touch {canary}"
    saved, old = io.BytesIO(), io.BytesIO()
    torch.save(bomb, saved)
    torch.save(bomb, old, _use_new_zipfile_serialization=False)
    head = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
    easy, persistent = b"cdnnlib.util\nEasyDict\n", b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n"
    return {
        **{f"reduce {n}": pickle.dumps(bomb, n)[2 * (n > 1) : -1] for n in range(4)},
        "reduce 4": pickle.dumps(bomb, 4)[11:-1],
        "global": b"cos\nsystem\n" + short(command) + b"\x85R",
        "builtin": b"cbuiltins\nexec\n" + short(f"open({str(canary)!r}, 'w')") + b"\x85R",
        "eval": b"cbuiltins\neval\n" + short("1") + b"\x85R",
        "getattr": b"cbuiltins\ngetattr\n" + easy + short("__class__") + b"\x86R",
        "stack global": short("os") + short("system") + b"\x93" + short(command) + b"\x85R",
        "dotted name": short("collections") + short("OrderedDict.__init__.__globals__") + b"\x93",
        "dotted module": short("torch.os") + short("system") + b"\x93" + short(command) + b"\x85R",
        "name is a number": b"K\x01K\x02\x93",
        "instance": b"(" + short(command) + b"ios\nsystem\n",
        "text": b"V" + command.encode() + b"\n", "object": b"(cos\nsystem\n" + short(command) + b"o",
        "object of a known name": b"(" + easy + b"o", "string": b"S'x'\n", "extended bytes": b"\x96" + bytes(8),
        "buffer": b"\x97", "readonly buffer": b"N\x98", "pop": b"NN0", "pop to a mark": b"N(N1",
        "new object": b"cos\nsystem\n" + short(command) + b"\x85\x81",
        "new object of a class": b"csubprocess\nPopen\n" + short(command) + b"\x85\x81",
        "new object with keywords": easy + b")}\x92",
        "extension 1": b"\x82\xf0", "extension 2": b"\x83\xf0\x00", "extension 4": b"\x84\xf0\x00\x00\x00",
        "persistent id": b"\x8c\x01xQ", "persistent text": b"Pos.system\n",
        "state of a name": easy + b"N}" + short("__setitem__") + easy + b"s\x86b",
        "state of a function": rebuild + b"N}" + short("__code__") + b"Ns\x86b",
        "state of a dictionary": b"}}" + short("__setstate__") + rebuild + b"sb",
        "setstate": easy + b")\x81}" + short("__setstate__") + easy + b"sb",
        "state twice": b"ctorch.nn.modules.container\nModuleDict\n)\x81}K\x01K\x02sb}K\x01K\x02sb",
        "state is a list": b"ctorch.nn.modules.container\nModuleDict\n)\x81]b",
        "load": b"ctorch.serialization\nload\n" + short(str(canary)) + b"\x85R",
        "pickle in a storage": storage(pickle.dumps(bomb, 2)), "archive in a storage": storage(saved.getvalue()),
        "old archive in a storage": storage(old.getvalue()),
        "pickle in the place of a storage": storage(head + pickle.dumps(bomb, 2) + pickle.dumps(["0"], 2) + bytes(8)),
        "type of a storage": storage(declared("os\nsystem", b"K\x01", bytes(12))),
        "another type of storage": storage(declared("torch\nComplexFloatStorage", b"K\x01", bytes(16))),
        "keys of a storage": storage(head + b"\x80\x02K\x01." + pickle.dumps(bomb, 2)),
        "source": persistent + b"}(\x8c\x04type\x8c\x05class\x8c\x0amodule_src"
        + short(f"open({str(canary)!r},'w')") + b"\x8c\x0aclass_name\x8c\x01x\x8c\x05state}u\x85R",
        "meta is a name": persistent + persistent + b"\x85R", "meta is missing": persistent + b")R",
        "arguments are a list": persistent + b"]R", "call of a value": b"K\x01)R",
        "call of a dtype": b"ctorch\nfloat32\n)R",
        "bytes encoded": b"c_codecs\nencode\n\x8c\x01x\x8c\x06latin1\x86R",
    }  # fmt: skip


PAYLOADS = list(payloads(Path("x")))


@pytest.mark.parametrize("name", PAYLOADS)
def test_nothing_in_a_pickle_runs(refused, tmp_path, name):
    copyreg.add_extension("os", "system", 240)
    try:
        payload = payloads(tmp_path / "canary")[name]
        assert refused(b"\x80\x04}" + short("ema") + payload + b"s.")
    finally:
        copyreg.remove_extension("os", "system", 240)


def test_code_behind_a_valid_pickle_does_not_run(valid, refused, tmp_path):
    bomb = pickle.dumps(Bomb(tmp_path / "canary"))
    assert "bytes follow the end" in refused(valid() + bomb)
    assert refused(bomb + valid())


@pytest.mark.parametrize("ending", ["pt", "pkl"])
@pytest.mark.parametrize("family", [None, "adm", "torchcfm", "edm"])
def test_code_in_archives_of_torch_does_not_run(refused, tmp_path, family, ending):
    bomb, network = Bomb(tmp_path / "canary"), {"time_embed.0.weight": torch.zeros(4)}
    for content in (bomb, {"ema_model": bomb}, network | {"a": bomb}, {"ema_model": network | {"a": bomb}}):
        for new in (True, False):
            data = io.BytesIO()
            torch.save(content, data, _use_new_zipfile_serialization=new)
            assert refused(data.getvalue(), family, ending=ending)


# Size.


def nested(opcode: bytes, depth: int, core: bytes = b"N") -> bytes:
    return core + opcode * depth


# Pairs of pairs ... of pairs: 2^99 values, if they were counted one by one.
LAUGHS = b"N" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(99))
FLOAT = "torch\nFloatStorage", b"K\x01", (1).to_bytes(8, "little") + bytes(4)
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(declared(*FLOAT))
HUGE = {
    "bytes": b"\x8e" + (2**62).to_bytes(8, "little"), "text": b"\x8d" + (2**62).to_bytes(8, "little"),
    "frame": b"\x95" + (2**63 - 1).to_bytes(8, "little") + b"N",
    "negative": b"\x8b\xff\xff\xff\xff", "short": b"\x8c\xffx",
    "number": b"\x8b\xff\xff\xff\x7f", "memo": b"Nr\xff\xff\xff\xff", "recalled": b"j\xff\xff\xff\xff",
    "deep tuple": nested(b"\x85", 100_000), "deep list": b"](" * 20_000 + b"N" + b"e" * 20_000,
    "duplicates": b"N" + b"2\x86" * 100, "laughs": LAUGHS, "laughs as a key": b"}" + LAUGHS + b"Ns",
    "laughs in a set": b"\x8f(" + LAUGHS + b"\x90", "laughs as an argument": b"ctorch\nSize\n" + LAUGHS + b"\x85R",
    "marks": b"(" * 100_000,
    **{f"tensor of {size}": TENSOR + size + b"\x89}tR" for size in (
        b"K\x00\x8a\x06\xff\xff\xff\xff\xff\x7f\x85K\x01\x85", b"K\x00\x8a\x06\xff\xff\xff\xff\xff\x7f\x85K\x00\x85",
        b"K\x00J\xff\xff\xff\xff\x85K\x01\x85", b"K\x00K\x01\x85J\xff\xff\xff\xff\x85", b"K\x02K\x01\x85K\x01\x85",
        b"K\x00K\x01\x85)", b"K\x00]K\x01\x85", b"N)K\x01\x85", b"K\x00K\x01\x85K\x01\x86", b"K\x00\x88\x85K\x01\x85",
    )},
    **{f"storage of {count} and {len(data)}": storage(declared("torch\nFloatStorage", count, data)) for count, data in (
        (b"\x8a\x06\xff\xff\xff\xff\xff\x7f", bytes(12)), (b"K\x01", (2**40).to_bytes(8, "little")), (b"K\x01", b""),
        (b"K\x01", (1).to_bytes(8, "little")), (b"K\x01", (1).to_bytes(8, "little") + bytes(5)), (b"N", bytes(12)),
        (b"J\xff\xff\xff\xff", b"\xff" * 8), (b"\x88", (1).to_bytes(8, "little") + bytes(4)),
    )},
}  # fmt: skip


@pytest.mark.parametrize("name", HUGE, ids=range(len(HUGE)))
def test_sizes_that_are_claimed_are_not_taken(refused, name):
    assert refused(b"\x80\x04}" + short("ema") + HUGE[name] + b"s.")


def test_a_pickle_of_countless_opcodes_is_refused(refused, monkeypatch):
    monkeypatch.setattr(pickle_machine, "LONGEST", 1000)
    assert "more than 1,000 opcodes" in refused(b"\x80\x04" + b"}" * 5000)


def test_an_archive_whose_entries_are_compressed_is_refused(refused):
    data = io.BytesIO()
    torch.save({"time_embed.0.weight": torch.zeros(2**22)}, data)
    packed = io.BytesIO()
    with zipfile.ZipFile(data) as whole, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as small:
        for entry in whole.namelist():
            small.writestr(entry, whole.read(entry))
    assert len(packed.getvalue()) < 2**20
    assert "compressed" in refused(packed.getvalue(), ending="pt")


# Damage.


def test_a_truncated_pickle_is_refused(valid, refused):
    data = valid()
    for place in np.random.default_rng(0).integers(0, len(data), 60):
        assert refused(data[:place])


def test_a_flipped_bit_does_no_harm(valid, refused):
    """It is refused, or in a weight or in what is not read."""
    data, generator, told = valid(), np.random.default_rng(1), 0
    for place in generator.integers(0, len(data), 60):
        changed = bytearray(data)
        changed[place] ^= 1 << int(generator.integers(8))
        told += bool(refused(bytes(changed), may=True))
    assert told > 15


def test_random_bytes_are_refused(refused):
    generator = np.random.default_rng(2)
    for head in (b"", b"\x80\x04", b"PK\x03\x04", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", b"\x80\x04}\x94("):
        for family in (None, "edm", "adm"):
            assert refused(head + generator.bytes(300), family)


# Values, which take each place of a valid file.

HOSTILE = [None, -1, 65536, 10**30, float("nan"), "os.system", [10**9] * 4, [[1]] * 20, {"a": 1}, True, (1, 2)]


@pytest.mark.parametrize("key", [*OPTIONS, "unknown"])
def test_no_value_of_an_option_does_harm(reference, refused, key):
    """Where a value is possible, the weights are missing, which is found after the network was made without memory."""
    for value in HOSTILE:
        outer = reference.Persistent("EDMPrecond", "raise SystemExit", {}, **LEVELS)
        outer.add_module("model", reference.Persistent("SongUNet", "raise SystemExit", OPTIONS | {key: value}))
        message = refused(reference.pickled({"ema": outer}))
        assert key in message or "it lacks" in message or "is impossible" in message or "cannot be halved" in message


def changed(name: str, value: object) -> Callable:
    """A change of an attribute of the preconditioning, or, after a dot, of the U-Net."""

    def change(outer, inner, data):
        (inner if name.startswith(".") else outer).__dict__[name.removeprefix(".")] = value

    return change


def meta(**changes: object) -> Callable:
    return lambda outer, inner, data: inner.changes.update(changes)


def replaced(value: object) -> Callable:
    return lambda outer, inner, data: data.update(ema=value)


def itself(outer, inner, data):
    ring = torch.nn.ModuleDict()
    ring._modules["again"] = inner._modules["ring"] = ring


def laughing(outer, inner, data):
    """Modules inside each other that would be 2^25 if they were counted one by one."""
    module = torch.nn.ModuleDict()
    for _ in range(25):
        module = torch.nn.ModuleDict({"a": module, "b": module})
    outer._modules["laughs"] = module


def shared(outer, inner, data):
    inner._parameters["more"] = torch.zeros(1).expand(10**9)


CHANGES = {
    "not a dictionary": replaced(3), "no ema": lambda outer, inner, data: data.clear(), "ema is none": replaced(None),
    "ema is a tensor": replaced(torch.zeros(2)), "ema is a list": replaced([1]), "cycle": itself, "laughs": laughing,
    "edm2": lambda outer, inner, data: outer.changes.update(class_name="Precond"),
    "another u-net": meta(class_name="SongUNet2"), "no u-net": lambda outer, inner, data: outer._modules.clear(),
    "u-net is a tensor": lambda outer, inner, data: outer._modules.update(model=torch.zeros(2)),
    "u-net is a number": lambda outer, inner, data: outer._modules.update(model=1),
    "state is a list": meta(state=[1]), "state is empty": meta(state={}), "state is none": meta(state=None),
    "class name is a number": meta(class_name=1), "class name is a list": meta(class_name=["SongUNet"]),
    "class name is none": meta(class_name=None), "type is a number": meta(type=1),
    "type is module": meta(type="module"),
    "no arguments": lambda outer, inner, data: inner.__dict__.pop("_init_kwargs"),
    "no positions": lambda outer, inner, data: inner.__dict__.pop("_init_args"),
    "arguments are a list": changed("._init_kwargs", [1]), "positions are a number": changed("._init_args", 1),
    "positions are hostile": changed("._init_args", ("os.system",)), "expanded": shared,
    "parameters are a list": changed("._parameters", [1]), "buffers are a number": changed("._buffers", 1),
    "modules are a list": changed("._modules", [1]), "a parameter is a number": changed("._parameters", {"a": 1}),
    "a buffer is a text": changed("._buffers", {"a": "x"}), "a module is a number": changed("._modules", {"a": 1}),
    "parameters are missing": changed("._modules", {}), "one more": changed("._buffers", {"a": torch.zeros(1)}),
    "whole numbers": changed("._parameters", {"a": torch.zeros(1, dtype=torch.int64)}),
    "number as a name": changed("._buffers", {1: torch.zeros(1)}),
    **{f"sigma_data {value}": changed("sigma_data", value) for value in (None, "x", -1, float("nan"), 0, [1], 1e300)},
    **{f"sigma_max {value}": changed("sigma_max", value) for value in (None, "x", -1, float("nan"), 0, 1e-4)},
    **{f"sigma_min {value}": changed("sigma_min", value) for value in (None, "x", float("nan"), 1e3, float("inf"))},
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_no_change_of_what_is_pickled_does_harm(valid, refused, name):
    message = refused(valid(CHANGES[name]))
    if name in ("edm2", "another u-net"):
        assert "but not EDM2, IMM, SoFlow and others" in message


STATES = {
    "empty": {}, "nested": {"a": {"b": torch.zeros(1)}}, "numbers": {"time_embed.0.weight": 1},
    "one": {"time_embed.0.weight": torch.zeros(1)}, "no blocks": {"output_blocks.0.0.x": torch.zeros(1)},
    "endless blocks": {f"output_blocks.{10**12}.0.x": torch.zeros(1)}, "sparse": {"a": torch.eye(3).to_sparse()},
    "upsampled first": {"output_blocks.0.1.conv.weight": torch.zeros(1)}, "text": "x", "list": [torch.zeros(1)],
    "cut off": {f"output_blocks.{i}.0.x": torch.zeros(1) for i in range(4)},
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("family", [None, "adm", "torchcfm", "edm"])
def test_other_state_dicts_are_refused(refused, name, family):
    for content in (STATES[name], {"ema_model": STATES[name]}):
        data = io.BytesIO()
        torch.save(content, data)
        assert refused(data.getvalue(), family, ending="pt")


# Imported files, whose metadata is read each time.


@pytest.fixture(scope="module")
def imported(valid, tmp_path_factory):
    """(metadata, weights) of a file that was imported."""
    folder = tmp_path_factory.mktemp("imported")
    (folder / "net.pkl").write_bytes(valid())
    import_file(folder / "net.pkl", None, folder / "net.safetensors")
    found = load(folder / "net.safetensors")
    return found.metadata[KEY], found.weights


def refused_model(folder: Path, text: str, weights: dict, may: bool = False) -> str:
    """The sentence with which --model refuses an imported file with this metadata."""
    save_file(weights, folder / "net.safetensors", {KEY: text})
    begun, message = time.perf_counter(), ""
    try:
        load_model(get_model(str(folder / "net.safetensors")), torch.device("cpu"), torch.float32)
    except (InputError, SpecError, CheckpointError) as error:
        message = str(error)
    assert time.perf_counter() - begun < LIMIT
    assert message or may, "it was loaded"
    assert "\n" not in message
    return message


def test_the_metadata_that_is_changed_below_is_valid(imported, tmp_path):
    assert refused_model(tmp_path, *imported, may=True) == ""


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ('"model_channels": 4', '"model_channels": 65536', "model_channels must lie between 4 and 4096, not 65536"),
        ('"model_channels": 4', '"model_channels": 4096', "by its architecture"),
        ('"model_channels": 4', '"model_channels": -4', "must lie between"),
        ('"model_channels": 4', '"model_channels": "4"', "must be int, not '4'"),
        ('"model_channels": 4', '"model_channels": 4.0', "must be int, not 4.0"),
        ('"model_channels": 4', '"model_channels": true', "must be int, not True"),
        ('"model_channels": 4', '"model_channels": null', "must be int, not None"),
        ('"model_channels": 4', f'"model_channels": 1{"0" * 100}', "not a huge number"),
        ('"model_channels": 4', '"model_channels": {"a": [1]}', "not dict"),
        ('"model_channels": 4', '"model_channels": 7', ""),
        ('"num_blocks": 1', '"num_blocks": 1000000', "must lie between 1 and 32"),
        ('"channel_mult": [1]', '"channel_mult": []', "cannot be halved"),
        ('"channel_mult": [1]', '"channel_mult": [1, 1, 1, 1]', "cannot be halved 3 times"),
        ('"channel_mult": [1]', f'"channel_mult": [{"1, " * 99}1]', "at most 16 numbers"),
        ('"channel_mult": [1]', '"channel_mult": [[1]]', "must be int, not list"),
        ('"img_resolution": 4', '"img_resolution": 1000000', "between 1 and 1024"),
        ('"sigma_data": 0.5', '"sigma_data": NaN', "sigma_data must lie between"),
        ('"sigma_data": 0.5', '"sigma_data": Infinity', "sigma_data must lie between"),
        ('"sigma_min": 0.002', '"sigma_min": 100.0', "is not below"), ('"edm"', '"edn"', "Did you mean 'edm'"),
        ('"edm"', '"adm"', "names the class 'SongUNet', not UNetModel"), ('"SongUNet"', '"os.system"', "'os.system'"),
        ('"EDMPrecond"', '["EDMPrecond"]', "names the class list"), ('"source"', '"sourse"', "not that of"),
        ('"network": {', '"network": [], "more": {', "not that of"), ('{"family"', '{{"family"', "is no JSON"),
        ('{"family"', "[" * 50_000, "is no JSON"), ('{"family"', " " * 200_000 + '{"family"', "not that of"),
    ],
)  # fmt: skip
def test_hostile_metadata_of_an_imported_file(imported, tmp_path, before, after, reason):
    text, weights = imported
    assert before in text
    assert reason in refused_model(tmp_path, text.replace(before, after, 1), weights)


def test_weights_of_others_in_an_imported_file(imported, tmp_path):
    text, weights = imported
    first = next(iter(weights))
    for other in ({}, {first: torch.zeros(3)}, {first: weights[first].to(torch.int64)}, {"more": torch.zeros(1)}):
        kept = {name: value for name, value in weights.items() if name != first}
        assert refused_model(tmp_path, text, kept | other)
