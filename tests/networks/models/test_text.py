"""Prompts in a text file are encoded by the pipeline's own text encoder."""

import json

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from samplerbench.errors import InputError
from samplerbench.methods import Sampler, get
from samplerbench.networks.model import get_model, load_model

PROMPTS = ("cab", "a ad")


@pytest.fixture
def pipeline(tmp_path):
    """Stable Diffusion with random weights and a vocabulary of eight letters."""
    torch.manual_seed(0)
    letters = "abcdefgh"
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    (tmp_path / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    config = CLIPTextConfig(
        vocab_size=len(words), hidden_size=12, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=8, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), layers_per_block=1, cross_attention_dim=12, norm_num_groups=4,
        attention_head_dim=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2, norm_num_groups=4,
        up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, sample_size=16, scaling_factor=0.18215,
    )  # fmt: skip
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False)
    tokenizer = CLIPTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"), model_max_length=8)
    made = StableDiffusionPipeline(
        vae.eval(), CLIPTextModel(config).eval(), tokenizer, unet.eval(), scheduler, None, None,
        requires_safety_checker=False,
    )  # fmt: skip
    made.set_progress_bar_config(disable=True)
    made.save_pretrained(tmp_path / "saved")
    return made


@torch.inference_mode()
def test_images_of_a_prompt_equal_those_of_the_pipeline(tmp_path, pipeline):
    (tmp_path / "prompts.txt").write_text("\n".join((*PROMPTS, "")))
    spec = f"diffusers[prompts={tmp_path / 'prompts.txt'}]:{tmp_path / 'saved'}"
    network = load_model(get_model(spec), torch.device("cpu"), torch.float32)
    assert (network.classes, "unlabelled" in network.provides) == (2, True)

    sampler = Sampler(get("ddim"), 3, "leading[offset=1]", trained=network.parametrisation, learned_path=network.path)
    noise = torch.randn((2, 4, 8, 8), generator=torch.Generator().manual_seed(3))
    ours = network.images(sampler.sample(network.field(network.net, torch.arange(2)), noise, torch.zeros_like))
    theirs = pipeline(
        list(PROMPTS), height=16, width=16, num_inference_steps=3, guidance_scale=1.0, output_type="np",
        generator=torch.Generator().manual_seed(3),
    ).images  # fmt: skip
    shown = (ours / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(shown, theirs, atol=1e-4)
    assert abs(theirs[0] - theirs[1]).max() > 1e-2


@pytest.mark.parametrize(("text", "message"), [("\n \n", "1 to 100000 prompts"), (None, "no file of prompts")])
def test_a_file_without_prompts_is_refused(tmp_path, pipeline, text, message):
    file = tmp_path / "prompts.txt"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InputError, match=message):
        load_model(get_model(f"diffusers[prompts={file}]:{tmp_path / 'saved'}"), torch.device("cpu"), torch.float32)
