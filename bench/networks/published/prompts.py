"""Prompts as labels: label i is prompt i, encoded once; the label after the last stands for no prompt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from samplerbench.errors import InputError
from samplerbench.methods import FAULTS
from samplerbench.networks.prompt_file import read_lines

EMBEDDINGS, POOLED = "prompt_embeds", "pooled_prompt_embeds"  # diffusers' names


class Prompts:
    """Encoded prompts.

    tables: by diffusers' name, a row for each prompt, and one more for no prompt if `null`: prompt_embeds (N, L, D)
        and, for networks that take them, pooled_prompt_embeds (N, D).
    """

    def __init__(self, tables: Mapping[str, Tensor], null: bool):
        self.tables, self.count = dict(tables), len(tables[EMBEDDINGS]) - null
        self.null = self.count if null else None


def read_prompts(file: str | None, folder: Path, pipeline: str) -> Prompts:
    """The prompts of a text file, a line each, encoded by the pipeline's own text encoders; or encoded ones.

    A .safetensors file holds diffusers' prompt_embeds and, where the network takes them, pooled_prompt_embeds; with
    negative_prompt_embeds (and negative_pooled_prompt_embeds), of one row, classifier-free guidance is possible.
    Raises InputError.
    """
    if not file:
        raise InputError(
            f"{pipeline} needs prompts: write diffusers[prompts=FILE]:{folder}, a text file with a prompt on each line."
        )
    path = Path(file).expanduser()
    if not path.is_file():
        raise InputError(f"There is no file of prompts {file!r}.")
    return _encoded(path) if path.suffix == ".safetensors" else _encode(read_lines(path), folder, pipeline)


def _encoded(path: Path) -> Prompts:
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} is damaged or not a safetensors file: {error}.") from error
    if EMBEDDINGS not in tensors:
        raise InputError(f"{path} holds no {EMBEDDINGS}.")
    null = f"negative_{EMBEDDINGS}" in tensors
    tables = {}
    for name in (EMBEDDINGS, POOLED):
        if name in tensors:
            parts = [tensors[name], *([tensors[f"negative_{name}"]] if f"negative_{name}" in tensors else [])]
            try:
                tables[name] = torch.cat(parts)
            except RuntimeError as error:
                raise InputError(f"negative_{name} of {path} does not have the shape of a row of {name}.") from error
    if len({len(table) for table in tables.values()}) > 1:
        raise InputError(f"{path} has other numbers of {EMBEDDINGS} and {POOLED}.")
    return Prompts(tables, null)


def _encode(prompts: list[str], folder: Path, pipeline: str) -> Prompts:
    """Encoded with an empty prompt at the end, which stands for none."""
    try:
        import transformers
    except ImportError as error:
        raise InputError(
            "Prompts are encoded by transformers: pip install 'samplerbench[diffusers]', or give encoded ones as "
            "prompts=FILE.safetensors."
        ) from error
    import diffusers

    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    try:
        parts: dict[str, Any] = {"unet": None} if pipeline.startswith("StableDiffusion") else {"transformer": None}
        pipe = getattr(diffusers, pipeline).from_pretrained(
            str(folder), vae=None, use_safetensors=True, local_files_only=True, **parts | _unused(folder)
        )
        with torch.inference_mode():
            return Prompts(_call(pipe, [*prompts, ""]), null=True)
    except FAULTS as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"The text encoders in {folder} cannot encode the prompts: {reason}") from error


def _unused(folder: Path) -> dict[str, None]:
    from samplerbench.networks.published.folder import read_config

    named = read_config(folder / "model_index.json")
    return {name: None for name in ("safety_checker", "feature_extractor", "image_encoder") if name in named}


def _call(pipe: Any, prompts: list[str]) -> dict[str, Tensor]:
    """The tables that a pipeline's encode_prompt makes; their number and order differ from class to class."""
    name = type(pipe).__name__
    if name == "StableDiffusionPipeline":
        embeds, _ = pipe.encode_prompt(prompts, "cpu", 1, False)
        return {EMBEDDINGS: embeds}
    if name == "FluxPipeline":
        embeds, pooled, _ = pipe.encode_prompt(prompts, prompts, device="cpu")
    else:
        more = {"prompt_2": None, "prompt_3": None} if name == "StableDiffusion3Pipeline" else {}
        embeds, _, pooled, _ = pipe.encode_prompt(prompts, device="cpu", do_classifier_free_guidance=False, **more)
    if getattr(pipe.config, "force_zeros_for_empty_prompt", False):
        embeds[-1], pooled[-1] = 0, 0
    return {EMBEDDINGS: embeds, POOLED: pooled}
