"""Encoders in folders of transformers: random small models, against its own image processors and outputs."""

import json
import sys

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torchvision.transforms import ToPILImage
from transformers import (
    BitImageProcessorPil,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    CLIPVisionModel,
    ConvNextConfig,
    ConvNextImageProcessorPil,
    ConvNextModel,
    Dinov2Config,
    Dinov2Model,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
    ViTMAEConfig,
    ViTMAEModel,
)

from samplerbench.errors import InputError
from samplerbench.metrics.encoders.base import ENCODERS
from samplerbench.testing import checks

CPU = torch.device("cpu")
VIT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "image_size": 32,
       "patch_size": 8}  # fmt: skip


def random(model):
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 0.5)
    return model.eval()


def saved(folder, model, processor):
    transformers.logging.disable_progress_bar()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def made(path, shape=(3, 48, 40)):
    return ENCODERS.get(f"transformers:{path}").load(shape, CPU)


def vit():
    """A classifier, whose head the encoder leaves out and which has no pooler."""
    model = random(ViTForImageClassification(ViTConfig(**VIT)))
    return model, ViTImageProcessorPil(size={"height": 32, "width": 32}), lambda x: model.vit(x).last_hidden_state[:, 0]


def dinov2():
    model = random(Dinov2Model(Dinov2Config(**VIT)))
    processor = BitImageProcessorPil(size={"shortest_edge": 36}, crop_size={"height": 32, "width": 32})
    return model, processor, lambda x: model(x).pooler_output  # which is the class token


def clip():
    model = random(CLIPVisionModel(CLIPVisionConfig(**VIT)))
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return model, processor, lambda x: model(x).pooler_output


def convnext():
    model = random(ConvNextModel(ConvNextConfig(hidden_sizes=[8, 8, 8, 16], depths=[1, 1, 1, 1])))
    return model, ConvNextImageProcessorPil(size={"shortest_edge": 64}), lambda x: model(x).pooler_output


@pytest.mark.parametrize("make", [vit, dinov2, clip, convnext])
def test_features_and_pixels_are_those_of_transformers(tmp_path, make):
    model, processor, encode = make()
    saved(tmp_path, model, processor)
    images = torch.randint(0, 256, (3, 3, 48, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    pixels = processor([ToPILImage()(image) for image in images], return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        torch.testing.assert_close(made(tmp_path)(images).float(), encode(pixels), rtol=1e-5, atol=1e-5)


@pytest.fixture
def folder(tmp_path):
    return saved(tmp_path, *vit()[:2])


def test_it_keeps_the_contract(folder):
    for _, check in checks(f"encoder:transformers:{folder}"):
        check()
    encoding = made(folder)
    assert (encoding.width, encoding.label) == (32, "transformers ViTModel")
    assert encoding.digest.endswith("of images by PIL bilinear 32x32, mean 0.5 0.5 0.5, std 0.5 0.5 0.5")


def changed(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("config", {"auto_map": {"AutoModel": "evil.Evil"}}, "has auto_map, which may fetch or run code"),
        ("config", {"attn_implementation": "evil/kernel"}, "has attn_implementation, which may"),
        ("config", {"vision": {"quantization_config": {"quant_method": "x"}}}, "has quantization_config"),
        ("config", {"model_type": "nonsense"}, "cannot be loaded by transformers"),
        ("config", {"model_type": "bert"}, "which is no vision model"),
        ("config", {"num_hidden_layers": 10**9}, "but there are weights for"),
        ("config", {"num_hidden_layers": 3}, r"numbers, and by its config.json the model has"),
        ("config", {"hidden_size": 32000}, "numbers, and by its config.json the model has"),
        ("config", {"patch_size": 4}, "cannot be loaded by transformers"),
        ("config", {"hidden_size": "wide"}, "cannot be loaded by transformers"),
        ("preprocessor_config", {"size": {"height": 32}}, "does not say how images are prepared"),
        ("preprocessor_config", {"do_rescale": False}, "does not say how images are prepared"),
        ("preprocessor_config", {"resample": 99}, "does not say how images are prepared"),
        ("preprocessor_config", {"size": {"height": 10**6, "width": 10**6}}, "is no size in pixels"),
        ("preprocessor_config", {"image_std": [1, 1, "nan"]}, "has no mean and standard deviation"),
        ("preprocessor_config", {"size": {"height": 40, "width": 40}}, "cannot encode images"),
    ],
)
def test_impossible_configurations_are_errors_of_one_sentence(folder, file, changes, message):
    changed(folder / f"{file}.json", **changes)
    with pytest.raises(InputError, match=message) as caught:
        made(folder)
    assert "\n" not in str(caught.value)


def test_damaged_folders_are_errors_of_one_sentence(folder, monkeypatch):
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    weights = load_file(file)
    weights["vit.other.weight"] = weights.pop("vit.layernorm.weight")
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"does not fit its config.json: layernorm.weight is missing"):
        made(folder)
    file.write_bytes(whole[:1000])
    with pytest.raises(InputError, match="damaged or not a safetensors file"):
        made(folder)
    file.rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"no .safetensors weights; pytorch_model.bin may run code"):
        made(folder)
    file.write_bytes(whole)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "transformers", None)
        with pytest.raises(InputError, match=r"pip install 'samplerbench\[encoders\]'"):
            made(folder)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match=r"preprocessor_config.json cannot be read"):
        made(folder)
    with pytest.raises(InputError, match="There is no folder"):
        made(folder / "absent")


def test_a_model_that_draws_random_numbers_is_refused(tmp_path):
    model = random(ViTMAEModel(ViTMAEConfig(**VIT, decoder_hidden_size=32, decoder_num_attention_heads=2)))
    saved(tmp_path, model, ViTImageProcessorPil(size={"height": 32, "width": 32}))
    with pytest.raises(InputError, match="draws random numbers"):
        made(tmp_path)
