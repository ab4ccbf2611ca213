"""Images of networks that diffusers saved equal those of its own pipelines, from the same noise."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    ConsistencyModelPipeline,
    DDIMPipeline,
    DDIMScheduler,
    DiTPipeline,
    DiTTransformer2DModel,
    FlowMatchEulerDiscreteScheduler,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
    UNet2DModel,
)
from diffusers import CMStochasticIterativeScheduler as ConsistencyScheduler
from safetensors.torch import save_file

from samplerbench.errors import InputError
from samplerbench.methods import Sampler, get
from samplerbench.networks.model import get_model, load_model

CPU = torch.device("cpu")
STEPS, SEED, IMAGES = 5, 3, 2


def tiny_unet(**changes) -> UNet2DModel:
    torch.manual_seed(0)
    options = {
        "sample_size": 8, "in_channels": 3, "out_channels": 3, "layers_per_block": 1, "block_out_channels": (16, 32),
        "norm_num_groups": 8, "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"), "attention_head_dim": 8,
    }  # fmt: skip
    return UNet2DModel(**options | changes).eval()


def tiny_vae(**changes) -> AutoencoderKL:
    torch.manual_seed(1)
    return AutoencoderKL(
        block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2, norm_num_groups=4,
        up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, sample_size=16, **changes,
    ).eval()  # fmt: skip


def loaded(spec: str):
    return load_model(get_model(spec), CPU, torch.float32)


def noise_of(shape: tuple[int, ...]) -> torch.Tensor:
    """What a pipeline draws with a generator of SEED."""
    return torch.randn((IMAGES, *shape), generator=torch.Generator().manual_seed(SEED))


def drawn(network, method: str, grid: str | None = None, steps: int = STEPS, label=None) -> torch.Tensor:
    """Our images in [-1, 1], before quantisation."""
    sampler = Sampler(get(method), steps, grid, trained=network.parametrisation, learned_path=network.path)
    states = sampler.sample(network.field(network.net, label), noise_of(network.image_shape), torch.zeros_like)
    return network.images(states)


def shown(images: torch.Tensor) -> np.ndarray:
    """As pipelines return them: (N, H, W, C) in [0, 1]."""
    return (images / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()


def pipeline_images(pipeline, **options) -> np.ndarray:
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(SEED)
    return pipeline(generator=generator, num_inference_steps=STEPS, output_type="np", **options).images


SCHEDULERS = {
    "linear": {},
    "sample": {"prediction_type": "sample", "clip_sample": False},
    "scaled-linear": {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "clip_sample": False},
    "cosine": {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction", "clip_sample": False},
    "zero-snr": {
        "rescale_betas_zero_snr": True, "prediction_type": "v_prediction", "timestep_spacing": "trailing",
        "clip_sample": False,
    },
    "trained-betas": {"trained_betas": np.linspace(0.001, 0.03, 500).tolist(), "num_train_timesteps": 500,
                      "timestep_spacing": "trailing", "clip_sample": False},
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULERS)
@torch.inference_mode()
def test_ddim_equals_the_pipeline(tmp_path, name):
    scheduler = DDIMScheduler(**SCHEDULERS[name])
    pipeline = DDIMPipeline(tiny_unet(), scheduler)
    pipeline.save_pretrained(tmp_path)
    clip = scheduler.config.clip_sample
    method = "ddim[clip=true]" if clip else "ddim"
    network = loaded(f"diffusers:{tmp_path}")
    ours = drawn(network, method, scheduler.config.timestep_spacing)
    theirs = pipeline_images(pipeline, batch_size=IMAGES, use_clipped_model_output=True if clip else None)
    np.testing.assert_allclose(shown(ours), theirs, atol=1e-4)


@torch.inference_mode()
def test_classes_reach_a_labelled_unet(tmp_path):
    unet, label = tiny_unet(num_class_embeds=7), torch.tensor([2, 5])
    DDIMPipeline(unet, DDIMScheduler(prediction_type="v_prediction")).save_pretrained(tmp_path)
    network = loaded(f"diffusers:{tmp_path}")
    assert (network.classes, network.provides) == (7, frozenset({"ode", "labels"}))
    x, t = noise_of((3, 8, 8)), torch.full((2,), 0.5)
    torch.testing.assert_close(network.net(x, t, label), unet(x, 499, class_labels=label).sample)


@torch.inference_mode()
def test_a_dit_equals_its_pipeline_in_latent_space(tmp_path):
    torch.manual_seed(2)
    dit = DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2, sample_size=8,
        patch_size=2, num_embeds_ada_norm=1000,
    ).eval()  # fmt: skip
    torch.nn.init.normal_(dit.proj_out_2.weight, std=0.1)  # it starts at zero
    pipeline = DiTPipeline(dit, tiny_vae(scaling_factor=0.18215), DDIMScheduler(clip_sample=False))
    pipeline.save_pretrained(tmp_path)
    network, labels = loaded(f"diffusers:{tmp_path}"), torch.tensor([207, 360])
    assert network.provides == {"ode", "labels", "unlabelled", "variance"}
    assert (network.image_shape, network.picture_shape) == ((4, 8, 8), (3, 16, 16))
    ours = drawn(network, "ddim", "leading", label=labels)
    theirs = pipeline_images(pipeline, class_labels=labels.tolist(), guidance_scale=1.0)
    np.testing.assert_allclose(shown(ours), theirs, atol=1e-4)
    x, t = noise_of((4, 8, 8)), torch.full((2,), 0.5)
    null = torch.tensor([1000, 1000])
    torch.testing.assert_close(network.net(x, t), dit(x, torch.full((2,), 499), null).sample)


@torch.inference_mode()
def test_a_consistency_model_equals_its_pipeline(tmp_path):
    pipeline = ConsistencyModelPipeline(tiny_unet(), ConsistencyScheduler(sigma_max=5.0, clip_denoised=False))
    pipeline.save_pretrained(tmp_path)
    network = loaded(f"diffusers:{tmp_path}")
    assert network.provides == frozenset()
    images = drawn(network, "consistency", steps=1)
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        IMAGES, num_inference_steps=1, generator=torch.Generator().manual_seed(SEED), output_type="np"
    ).images
    # Its grid for one step begins at index 0 of 40, s_max.
    np.testing.assert_allclose(shown(images), theirs, atol=1e-4)


def save_prompts(folder: Path, **tensors: torch.Tensor) -> Path:
    file = folder / "prompts.safetensors"
    save_file(tensors, file)
    return file


def flow_pipeline(folder: Path, transformer, name: str, **scheduler) -> FlowMatchEulerDiscreteScheduler:
    """Save what a pipeline of that name would, without text encoders."""
    transformer.save_pretrained(folder / "transformer")
    tiny_vae(scaling_factor=1.5, shift_factor=0.1).save_pretrained(folder / "vae")
    flow = FlowMatchEulerDiscreteScheduler(**scheduler)
    flow.save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": name}))
    return flow


def euler(flow: FlowMatchEulerDiscreteScheduler, predict, x: torch.Tensor) -> torch.Tensor:
    """The states after STEPS of a scheduler whose times are set."""
    for t in flow.timesteps:
        x = flow.step(predict(x, t.expand(len(x))), t, x, return_dict=False)[0]
    return x


@torch.inference_mode()
def test_the_flow_of_sd3_equals_its_scheduler(tmp_path):
    torch.manual_seed(2)
    transformer = SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, num_layers=2, attention_head_dim=8, num_attention_heads=2,
        caption_projection_dim=16, joint_attention_dim=12, pooled_projection_dim=10, out_channels=4,
        pos_embed_max_size=8,
    ).eval()  # fmt: skip
    flow = flow_pipeline(tmp_path, transformer, "StableDiffusion3Pipeline", shift=3.0)
    embeds, pooled = torch.randn(IMAGES, 6, 12), torch.randn(IMAGES, 10)
    file = save_prompts(tmp_path, prompt_embeds=embeds, pooled_prompt_embeds=pooled)
    network = loaded(f"diffusers[prompts={file}]:{tmp_path}")

    def predict(x, t):
        return transformer(x, timestep=t, encoder_hidden_states=embeds, pooled_projections=pooled).sample

    flow.set_timesteps(STEPS)
    theirs = euler(flow, predict, noise_of((4, 8, 8)))
    last = 0.003 / 1.002
    ours = drawn(network, "flow", f"shifted[shift=3,last={last}]", label=torch.arange(IMAGES))
    torch.testing.assert_close(ours, network.images(theirs), atol=1e-4, rtol=0)
    assert network.provides == {"ode", "labels"}


@torch.inference_mode()
def test_the_flow_of_flux_equals_its_scheduler_and_takes_guidance_as_an_input(tmp_path):
    torch.manual_seed(2)
    transformer = FluxTransformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=12, pooled_projection_dim=10, guidance_embeds=True, axes_dims_rope=(2, 2, 4),
    ).eval()  # fmt: skip
    flow = flow_pipeline(tmp_path, transformer, "FluxPipeline")
    embeds, pooled = torch.randn(IMAGES, 6, 12), torch.randn(IMAGES, 10)
    file = save_prompts(tmp_path, prompt_embeds=embeds, pooled_prompt_embeds=pooled)
    network = loaded(f"diffusers[prompts={file},guidance=2.5,size=16]:{tmp_path}")
    from diffusers import FluxPipeline

    def predict(x, t):
        packed = FluxPipeline._pack_latents(x, len(x), 4, 8, 8)
        found = transformer(
            packed, timestep=t / 1000, guidance=torch.full((len(x),), 2.5), encoder_hidden_states=embeds,
            pooled_projections=pooled, txt_ids=torch.zeros(6, 3),
            img_ids=FluxPipeline._prepare_latent_image_ids(len(x), 4, 4, "cpu", torch.float32),
        ).sample  # fmt: skip
        return FluxPipeline._unpack_latents(found, 8, 8, 1)

    flow.set_timesteps(sigmas=np.linspace(1, 1 / STEPS, STEPS))
    theirs = euler(flow, predict, noise_of((4, 8, 8)))
    ours = drawn(network, "flow", "shifted[shift=1]", label=torch.arange(IMAGES))
    torch.testing.assert_close(ours, network.images(theirs), atol=1e-4, rtol=0)


@torch.inference_mode()
def test_prompts_of_stable_diffusion_are_labels_with_a_null(tmp_path):
    torch.manual_seed(2)
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), layers_per_block=1, cross_attention_dim=12, norm_num_groups=4,
        attention_head_dim=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    ).eval()  # fmt: skip
    unet.save_pretrained(tmp_path / "unet")
    tiny_vae(scaling_factor=0.18215).save_pretrained(tmp_path / "vae")
    DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False).save_pretrained(tmp_path / "scheduler")
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    embeds, null = torch.randn(3, 6, 12), torch.randn(1, 6, 12)
    file = save_prompts(tmp_path, prompt_embeds=embeds, negative_prompt_embeds=null)
    network = loaded(f"diffusers[prompts={file}]:{tmp_path}")
    assert (network.classes, network.provides) == (3, {"ode", "labels", "unlabelled"})
    x, t = noise_of((4, 8, 8)), torch.full((2,), 0.5)
    torch.testing.assert_close(network.net(x, t, torch.tensor([2, 0])), unet(x, 499, embeds[[2, 0]]).sample)
    torch.testing.assert_close(network.net(x, t), unet(x, 499, null.expand(2, -1, -1)).sample)
    with pytest.raises(InputError, match="StableDiffusionPipeline needs prompts"):
        loaded(f"diffusers:{tmp_path}")
