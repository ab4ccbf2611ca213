"""Networks that diffusers saved: a folder or a repository of the hub, by the class that its configuration names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from samplerbench.errors import InputError
from samplerbench.methods import Between, nearest
from samplerbench.networks.external import ExternalNetwork
from samplerbench.networks.model import MODELS, ExternalModel
from samplerbench.networks.published.consistency import consistency_record
from samplerbench.networks.published.dit import dit_record
from samplerbench.networks.published.folder import component, find_folder, read_config
from samplerbench.networks.published.ours import exported_record
from samplerbench.networks.published.prompts import read_prompts
from samplerbench.networks.published.schedule import read_schedule
from samplerbench.networks.published.text import Text, conditional_unet, flux, sd3
from samplerbench.networks.published.unet import unet_record


@MODELS.register("diffusers")
@dataclass(frozen=True)
class Diffusers(ExternalModel):
    """A pipeline or a single network that diffusers saved, in a folder or on the hub.

    UNet2DModel, with or without classes, also of a ConsistencyModelPipeline; DiTTransformer2DModel;
    UNet2DConditionModel; the transformers of SD3 and FLUX. Only configurations and safetensors are read.
    prompts: for networks with prompts, a text file with one on each line, or their embeddings in a .safetensors file.
    guidance: the input of guidance-distilled networks, such as FLUX.1-dev's. size: of FLUX's images.
    """

    place: str = field(metadata={"argument": "DIR_OR_HUB_ID"})
    prompts: str | None = None
    guidance: Annotated[float, Between(0, 100)] = 3.5
    size: Annotated[int, Between(16, 8192)] = 1024

    def record(self):
        _check_installed()
        folder = find_folder(self.place)
        name = _network_class(folder)
        if name not in READERS:
            raise InputError(f"The networks of class {name!r} are not supported: {', '.join(READERS)} are.")
        return READERS[name](self, folder, _scheduler(folder))


def _check_installed() -> None:
    try:
        import diffusers  # noqa: F401
    except ImportError as error:
        raise InputError("diffusers is not installed: pip install 'samplerbench[diffusers]'.") from error


def _network_class(folder: Path) -> str:
    """The class of the network in a folder: that of a pipeline's unet or transformer, or of the folder's own file."""
    config = read_config(component(folder, "unet", "transformer") / "config.json")
    name = config.get("_class_name")
    if not isinstance(name, str):
        raise InputError(f"{folder} holds no network of diffusers: its config.json names no class.")
    return "DiTTransformer2DModel" if name == "Transformer2DModel" else name


def _scheduler(folder: Path) -> dict[str, Any]:
    inside = component(folder, "scheduler") / "scheduler_config.json"
    if not inside.is_file():
        raise InputError(
            f"{folder} has no scheduler_config.json, which says how the network was trained: save the pipeline, or put "
            "that file beside the network."
        )
    return read_config(inside)


def _unet(model: Diffusers, folder: Path, scheduler: Mapping[str, Any]) -> ExternalNetwork:
    if scheduler.get("_class_name") == "CMStochasticIterativeScheduler":
        return consistency_record(folder, scheduler)
    return unet_record(folder, read_schedule(scheduler))


def _with_text(read: Callable[[Text], ExternalNetwork]) -> Callable[..., ExternalNetwork]:
    def reader(model: Diffusers, folder: Path, scheduler: Mapping[str, Any]) -> ExternalNetwork:
        return read(_text(model, folder, scheduler))

    return reader


def _flux(model: Diffusers, folder: Path, scheduler: Mapping[str, Any]) -> ExternalNetwork:
    return flux(_text(model, folder, scheduler), model.size)


def _text(model: Diffusers, folder: Path, scheduler: Mapping[str, Any]) -> Text:
    pipeline = read_config(folder / "model_index.json").get("_class_name")
    if pipeline not in PIPELINES:
        raise InputError(f"The pipeline {pipeline!r} is not supported. {nearest(str(pipeline), PIPELINES)}")
    return Text(folder, read_schedule(scheduler), read_prompts(model.prompts, folder, pipeline), model.guidance)


PIPELINES = ("StableDiffusionPipeline", "StableDiffusionXLPipeline", "StableDiffusion3Pipeline", "FluxPipeline")
# The class of the network -> the function that reads its record.
READERS: Mapping[str, Callable[[Diffusers, Path, Mapping[str, Any]], ExternalNetwork]] = {
    "UNet2DModel": _unet,
    "SamplerbenchUNet": lambda model, folder, scheduler: exported_record(folder, read_schedule(scheduler)),
    "DiTTransformer2DModel": lambda model, folder, scheduler: dit_record(folder, read_schedule(scheduler)),
    "UNet2DConditionModel": _with_text(conditional_unet),
    "SD3Transformer2DModel": _with_text(sd3),
    "FluxTransformer2DModel": _flux,
}
