import pytest
import torch

from samplerbench.data.captions import captions, tokenise
from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError
from samplerbench.networks.conditions.base import CONDITIONS, Source


def test_the_table_is_of_the_captions_in_the_order_of_the_images(few):
    images = few.load()
    table = CONDITIONS.get("text").training(Source(few, images))
    assert list(table.prompts) == captions(images.train, images.train_labels)
    assert torch.equal(table.rows[5], tokenise(table.prompts[5]))
    assert not table.rows[-1].any(), "an empty text"
    named = table.classes >= 0
    assert torch.equal(table.classes[named], images.train_labels[named])
    assert 0.8 < named.float().mean() < 1, "one caption in nine leaves the class open"


def test_a_file_of_prompts_replaces_them(few, tmp_path):
    (tmp_path / "prompts.txt").write_text("a thin seven\n\na digit leaning left\n")
    table = CONDITIONS.get(f"text[prompts={tmp_path / 'prompts.txt'}]").sampling(Source(few, few.load()))
    assert table.prompts == ("a thin seven", "a digit leaning left")
    assert table.classes.tolist() == [7, -1]
    (tmp_path / "prompts.txt").write_text("a thin zebra\n")
    with pytest.raises(InputError, match="has an unknown word 'zebra'"):
        CONDITIONS.get(f"text[prompts={tmp_path / 'prompts.txt'}]").sampling(Source(few, few.load()))


def test_only_the_ten_digits_have_captions(tmp_path):
    squares = DATASETS.get("digits")

    class Four(type(squares)):
        classes = 4

    with pytest.raises(InputError, match="Captions name the ten digits, and digits has 4 classes"):
        CONDITIONS.get("text").training(Source(Four(), squares.load()))
