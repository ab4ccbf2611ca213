"""Images of a network that diffusers builds with random weights, beside those of its own pipeline."""

from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from samplerbench.methods import Sampler, get
from samplerbench.networks.model import get_model, load_model
from samplerbench.regression.golden.figure import Figure

PIPELINES = {"DDIMScheduler": "DDIMPipeline", "CMStochasticIterativeScheduler": "ConsistencyModelPipeline"}
SEED = 0


def installed() -> bool:
    """Whether diffusers is."""
    try:
        import diffusers  # noqa: F401
    except ImportError:
        return False
    return True


@torch.inference_mode()
def difference(figure: Figure) -> float:
    """The largest difference of a pixel, in [0, 1], between our images and the pipeline's, from the same noise."""
    with TemporaryDirectory() as folder:
        pipeline = _pipeline(figure.options)
        with redirect_stderr(StringIO()):  # bars of its writing
            pipeline.save_pretrained(folder)
        theirs = _theirs(pipeline, figure)
        ours = _ours(Path(folder), figure)
    return (ours - theirs).abs().max().item()


def _pipeline(options: Any) -> Any:
    import diffusers

    torch.manual_seed(SEED)
    unet: Any = diffusers.UNet2DModel(
        sample_size=16, in_channels=3, out_channels=3, layers_per_block=1, block_out_channels=(32, 64),
        norm_num_groups=8, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"), attention_head_dim=8,
    )  # fmt: skip
    unet.eval()
    scheduler = getattr(diffusers, options["scheduler"])(**options["config"])
    pipeline = getattr(diffusers, PIPELINES[options["scheduler"]])(unet, scheduler)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _theirs(pipeline: Any, figure: Figure) -> Tensor:
    """The pipeline's images (B, C, H, W) in [0, 1]."""
    images = pipeline(
        figure.samples, num_inference_steps=figure.options["steps"], generator=torch.Generator().manual_seed(SEED),
        output_type="np",
    ).images  # fmt: skip
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def _ours(folder: Path, figure: Figure) -> Tensor:
    """Ours, by the loader of `--model diffusers:DIR`."""
    model = get_model(f"diffusers:{folder}")
    assert model is not None
    network = load_model(model, torch.device("cpu"), torch.float32)
    sampler = Sampler(
        get(figure.method), figure.options["steps"], figure.options.get("grid"),
        trained=network.parametrisation, learned_path=network.path,
    )  # fmt: skip
    noise = torch.randn((figure.samples, *network.image_shape), generator=torch.Generator().manual_seed(SEED))
    images = network.images(sampler.sample(network.field(network.net), noise, torch.zeros_like))
    return (images / 2 + 0.5).clamp(0, 1)
