"""A network of `bench train` as a folder that diffusers loads: pipeline, scheduler, weights, a model card."""

import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from string import Template
from typing import Any

from safetensors.torch import save_file

from samplerbench.errors import InputError
from samplerbench.methods import Cosine, DiscreteVP, Linear
from samplerbench.models import UNet, layers, text_encoder, unet
from samplerbench.networks.loaded import LoadedNetwork

CLASS, MODULE = "SamplerbenchUNet", "samplerbench_unet"
PREDICTIONS = {"eps": "epsilon", "x0": "sample", "v": "v_prediction"}
STEPS = 1000

SOURCES = (layers, text_encoder, unet)  # in one file, which so needs diffusers alone
OUR_IMPORTS = re.compile(r"^from samplerbench\S* import (\([^)]*\)|.*)\n", re.MULTILINE)
# Follows them in the exported file.
WRAPPER = '''

from diffusers import ConfigMixin, ModelMixin  # noqa: E402
from diffusers.configuration_utils import register_to_config  # noqa: E402
from diffusers.models.unets.unet_2d import UNet2DOutput  # noqa: E402


class SamplerbenchUNet(ModelMixin, ConfigMixin):
    """The U-Net of samplerbench, called as diffusers calls a UNet2DModel; without class labels it is unconditional."""

    @register_to_config
    def __init__(self, sample_size, in_channels, time_offset, architecture):
        super().__init__()
        lists = {key: tuple(value) for key, value in architecture.items() if isinstance(value, list)}
        self.unet = UNet(UNetConfig(**{**architecture, **lists}))

    def forward(self, sample, timestep, class_labels=None, return_dict=True):
        time = torch.as_tensor(timestep, device=sample.device).float().expand(len(sample))
        t = (time + self.config.time_offset) / 1000
        found = self.unet(sample, t, class_labels)
        return UNet2DOutput(sample=found) if return_dict else (found,)
'''

CARD = Template("""---
library_name: diffusers
tags: [samplerbench, $pipeline]
---

# $name on $dataset

Exported by `bench export $name`. A U-Net of $parameters parameters for images of $size, trained with the recipe
`$name` of samplerbench$iterations; it predicts $target on the path `$path`. Weights: $digest.

```python
from diffusers import DiffusionPipeline

pipeline = DiffusionPipeline.from_pretrained("PATH_OF_THIS_FOLDER", trust_remote_code=True)
images = pipeline(batch_size=16, num_inference_steps=50, output_type="np").images  # (N, H, W, C) in [0, 1]
```

The network is defined in `unet/$module.py`, which is samplerbench's own U-Net: hence `trust_remote_code`. $labels
""")


def export(network: LoadedNetwork, dataset: str, folder: Path) -> None:
    """Write the folder. Raises InputError if it is not empty, or if no scheduler of diffusers fits the network."""
    if not isinstance(network.eager, UNet):
        raise InputError(f"{network.name} has no network of samplerbench's own to export.")
    config = network.eager.config
    if network.modules or config.interval or config.outputs > 1 or config.context or config.inputs:
        raise InputError(
            f"{network.name} is more than a network of x, t and a label, and diffusers has no place for it."
        )
    pipeline, scheduler, offset = _scheduler(network)
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{str(folder)!r} is not empty: choose another --output.")
    _write_json(folder / "model_index.json", {
        "_class_name": pipeline, "scheduler": ["diffusers", scheduler["_class_name"]], "unet": [MODULE, CLASS],
    })  # fmt: skip
    _write_json(folder / "scheduler" / "scheduler_config.json", scheduler)
    _write_json(folder / "unet" / "config.json", {
        "_class_name": CLASS, "sample_size": config.resolution, "in_channels": config.image_channels,
        "time_offset": offset, "architecture": asdict(config),
    })  # fmt: skip
    (folder / "unet" / f"{MODULE}.py").write_text(_source(), encoding="utf-8")
    weights = {f"unet.{key}": value.cpu().contiguous() for key, value in network.eager.state_dict().items()}
    save_file(weights, folder / "unet" / "diffusion_pytorch_model.safetensors", {"format": "pt"})
    (folder / "README.md").write_text(_card(network, dataset, pipeline), encoding="utf-8")


def _source() -> str:
    """The definition of the network, without our package."""
    return "\n\n".join(OUR_IMPORTS.sub("", inspect.getsource(module)) for module in SOURCES) + WRAPPER


def _scheduler(network: LoadedNetwork) -> tuple[str, dict[str, Any], int]:
    """The pipeline's class, the scheduler's configuration, and what is added to its timesteps to get 1000 t."""
    path = network.path
    if isinstance(path, Linear) and network.target == "velocity":
        name = "FlowMatchEulerDiscreteScheduler"
        return "DDPMPipeline", {"_class_name": name, "num_train_timesteps": STEPS, "shift": 1.0}, 0
    betas: dict[str, Any] = {}
    if isinstance(path, DiscreteVP) and path.timesteps == STEPS:
        betas = {"beta_schedule": "linear", "beta_start": path.beta_min, "beta_end": path.beta_max}
    elif path == Cosine():
        betas = {"beta_schedule": "squaredcos_cap_v2"}
    if not betas or network.target not in PREDICTIONS:
        raise InputError(
            f"{network.name} predicts {network.target} on {type(path).__name__}, for which diffusers has no scheduler."
        )
    return "DDIMPipeline", {
        "_class_name": "DDIMScheduler", "num_train_timesteps": STEPS, "prediction_type": PREDICTIONS[network.target],
        "clip_sample": False, "set_alpha_to_one": True, "timestep_spacing": "leading", **betas,
    }, 1  # fmt: skip


def _card(network: LoadedNetwork, dataset: str, pipeline: str) -> str:
    facts, channels = network.origin.facts, network.image_shape
    parameters = sum(parameter.numel() for parameter in network.eager.parameters())
    labels = (
        f"Its {network.classes} class labels, 0 to {network.classes - 1}, are the argument `class_labels` of "
        "`pipeline.unet`; the pipeline itself draws unconditional images."
        if network.classes
        else ""
    )
    return CARD.substitute(
        name=network.name, dataset=dataset, pipeline=pipeline, parameters=f"{parameters:,}", module=MODULE,
        size="x".join(map(str, channels)), target=network.target, path=type(network.path).__name__,
        iterations=f" for {facts.iterations} iterations" if facts.iterations else "",
        digest=str(network.origin), labels=labels,
    )  # fmt: skip


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
