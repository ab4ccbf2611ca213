"""Damaged and hostile images and arrays: one sentence with the first bad file, no code run, no memory taken."""

import io
import pickle
import struct
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError


def encoded(size=(8, 8), mode="RGB", kind="PNG") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 1).save(file, kind)
    return file.getvalue()


def huge_png(side: int) -> bytes:
    """A PNG whose header claims a side that its data do not have."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = zlib.compress(b"\0" * 100)
    parts = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    assert chunk.startswith(b"IHDR")
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + body


BAD_IMAGES = {
    "empty": b"", "one byte": b"\x89", "text": b"hello", "signature": encoded()[:8], "header only": encoded()[:33],
    "half": encoded(size=(8, 8))[:45], "reversed": encoded()[::-1], "zip": b"PK\x03\x04" + bytes(50),
    "pickle": pickle.dumps([1, 2]), "huge": huge_png(100_000), "bomb": huge_png(2**31 - 1), "zero": huge_png(0),
    "larger": encoded((9, 9)), "not square": encoded((8, 9)), "grey": encoded(mode="L"), "alpha": encoded(mode="RGBA"),
    "palette": encoded(mode="P"), "cmyk": encoded(mode="CMYK", kind="JPEG"), "one bit": encoded(mode="1"),
    "sixteen bits": encoded(mode="I;16"), "half a jpeg": encoded(kind="JPEG")[:150], "svg": b"<svg xmlns='x'/>",
    "html": b"<html>404 not found</html>", "html as jpeg": b"\xff\xd8\xff" + b"<html>", "null bytes": bytes(1000),
}  # fmt: skip


def refused(spec: str) -> str:
    begun = time.perf_counter()
    with pytest.raises(InputError) as caught:
        DATASETS.get(spec).load()
    assert time.perf_counter() - begun < 2
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_image_is_named(tmp_path, pictures, name):
    pictures(tmp_path, 5)
    (tmp_path / "002.png").write_bytes(BAD_IMAGES[name])
    assert "002.png" in refused(f"folder:{tmp_path}")


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", '{"labels": 3}', '{"labels": [["000.png", "cat"]]}', '{"labels": [["other.png", 1]]}',
        '{"labels": [[1, 2, 3]]}', '{"labels": {"000.png": null}}', "[" * 100_000, '{"labels": [["000.png", 1e999]]}',
        '{"labels": [["000.png", -1], ["001.png", 0], ["002.png", 0], ["003.png", 0], ["004.png", 0]]}',
    ],
)  # fmt: skip
def test_a_bad_dataset_json_is_named(tmp_path, pictures, content):
    pictures(tmp_path, 5)
    (tmp_path / "dataset.json").write_text(content)
    assert str(tmp_path) in refused(f"folder:{tmp_path}")


def test_missing_and_empty_folders(tmp_path, pictures):
    assert "there is no" in refused(f"folder:{tmp_path / 'absent'}")
    assert "holds no images" in refused(f"folder:{tmp_path}")
    (tmp_path / "file").write_text("x")
    assert "is no folder" in refused(f"folder:{tmp_path / 'file'}")
    pictures(tmp_path / "few", 3)
    assert "has 3 images: at least 4" in refused(f"folder:{tmp_path / 'few'}")


PIXELS = np.zeros((6, 8, 8, 3), np.uint8)


def npy(array: np.ndarray, shape: tuple | None = None, pickled: bool = False) -> bytes:
    """The bytes of a .npy file, whose header may claim another shape."""
    file = io.BytesIO()
    if shape is None:
        np.save(file, array, allow_pickle=pickled)
    else:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(array.tobytes())
    return file.getvalue()


BAD_ARRAYS = {
    "empty": b"", "text": b"hello", "magic": b"\x93NUMPY", "half": npy(PIXELS)[: len(npy(PIXELS)) // 2],
    "claims": npy(PIXELS, shape=(10**9, 64, 64, 3)), "overflow": npy(PIXELS, shape=(2**62, 2**62)),
    "negative": npy(PIXELS, shape=(-1, 8, 8, 3)), "objects": npy(np.array([{}, 1], object), pickled=True),
    "floats": npy(PIXELS.astype(np.float32)), "int64": npy(PIXELS.astype(np.int64)), "vector": npy(PIXELS.ravel()),
    "two colours": npy(PIXELS[..., :2]), "not square": npy(PIXELS[:, :4]), "none": npy(PIXELS[:0]),
    "few": npy(PIXELS[:2]), "strings": npy(np.array(["a", "b"])), "five axes": npy(PIXELS[None]),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_ARRAYS)
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_a_bad_array_is_named(tmp_path, kind, name):
    file = Path(tmp_path / f"a.{kind}")
    file.write_bytes(BAD_ARRAYS[name])
    if kind == "npz":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("arr_0.npy", BAD_ARRAYS[name])
    assert f"a.{kind}" in refused(f"{kind}:{file}")


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), bytes(100), pickle.dumps({"arr_0": 1})]
)
def test_what_is_no_npz_is_named(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    assert "a.npz" in refused(f"npz:{tmp_path / 'a.npz'}")


@pytest.mark.parametrize(
    "labels", [np.zeros(5, int), np.zeros((6, 2), int), np.zeros(6), np.full(6, -1), np.array("x")]
)
def test_labels_that_do_not_fit_are_named(tmp_path, labels):
    np.savez(tmp_path / "a.npz", arr_0=PIXELS, arr_1=labels)
    assert "labels" in refused(f"npz:{tmp_path / 'a.npz'}").lower()


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", npy(np.zeros(64, np.uint8), shape=(2**21, 64, 64, 3)))
        archive.writestr("more", bytes(10**7))
    assert "claims the shape" in refused(f"npz:{tmp_path / 'a.npz'}")
