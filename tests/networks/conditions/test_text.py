import pytest
import torch
import transformers

from samplerbench.data.captions import WORDS, captions, tokenise
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


def bert(folder):
    """A tiny text model with the words of captions, saved by transformers."""
    transformers.logging.disable_progress_bar()
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, ","]))
    transformers.BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=6 + len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    net = transformers.BertModel(config).eval()
    net.save_pretrained(folder)
    return net


def test_a_text_model_on_disk_encodes_the_prompts_as_transformers_does(few, tmp_path):
    net = bert(tmp_path / "bert")
    condition = CONDITIONS.get(f"text[encoder={tmp_path / 'bert'}]")
    table = condition.sampling(Source(few, few.load()))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "bert")
    for number, prompt in ((3, table.prompts[3]), (-1, "")):
        tokens = tokenizer([prompt], padding="max_length", max_length=32, return_tensors="pt")
        with torch.inference_mode():
            expected = net(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]).last_hidden_state[0]
        torch.testing.assert_close(table.rows[number], expected)
    assert condition.network(few) == {"context": 16, "vocabulary": 0}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no folder", "bert"),
        ("no tokenizer", "has no tokenizer beside its model"),
        ("a vision model", "holds CLIPVisionModel, which is no text encoder"),
    ],
)
def test_a_folder_of_anything_else_is_refused(few, tmp_path, fault, message):
    folder = tmp_path / "bert"
    if fault == "a vision model":
        transformers.CLIPVisionModel(
            transformers.CLIPVisionConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                                          num_attention_heads=2, image_size=32)
        ).save_pretrained(folder)  # fmt: skip
    elif fault == "no tokenizer":
        bert(folder)
        for file in folder.glob("*token*"):
            file.unlink()
        (folder / "vocab.txt").unlink()
    with pytest.raises(InputError, match=message):
        CONDITIONS.get(f"text[encoder={folder}]").sampling(Source(few, few.load()))
