import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError

pytest.importorskip("pyarrow")


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def file(tmp_path):
    """Four images with labels as Hugging Face stores them, and as plain bytes in a second column."""
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    encoded = [png(image) for image in pixels]
    frame = pd.DataFrame({
        "image": [{"bytes": each, "path": None} for each in encoded], "label": [0, 1, 0, 1], "plain": encoded,
        "text": ["a"] * 4,
    })  # fmt: skip
    frame.to_parquet(tmp_path / "a.parquet")
    return tmp_path / "a.parquet"


@pytest.mark.parametrize("spec", ["parquet:{}", "parquet[column=plain]:{}"])
def test_encoded_images_of_a_column(file, spec):
    data = DATASETS.get(spec.format(file))
    assert (data.channels, data.resolution, data.classes) == (3, 8, 2)
    assert len(data.ordered().images) == 4


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("parquet[column=photo]:{}", "has no column 'photo': it has image, label, plain, text"),
        ("parquet[column=text]:{}", "Row 0 of .* holds str, not an encoded image"),
        ("parquet[label=text]:{}", "The column 'text' of .* holds .*, not whole numbers"),
    ],
)
def test_other_columns_are_refused(file, spec, message):
    with pytest.raises(InputError, match=message):
        _ = DATASETS.get(spec.format(file)).channels


def test_a_damaged_file_is_one_sentence(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(InputError, match=r"a\.parquet is damaged or not a Parquet file"):
        _ = DATASETS.get(f"parquet:{tmp_path / 'a.parquet'}").channels
