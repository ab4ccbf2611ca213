"""Prompts encoded by a text model that transformers saved, such as CLIP's or BERT."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from samplerbench.errors import InputError
from samplerbench.methods import FAULTS
from samplerbench.networks.published.folder import read_config
from samplerbench.networks.published.transformers_model import load_pretrained

BATCH = 64
LONGEST = 32  # tokens of a prompt
VOCABULARIES = ("tokenizer.json", "vocab.*", "*.model")


def text_width(folder: Path) -> int:
    """The width of a model's tokens. Raises InputError if its configuration does not say."""
    width = read_config(folder / "config.json").get("hidden_size")
    if not isinstance(width, int) or not 0 < width <= 2**16:
        raise InputError(f"{folder} holds no text model: its config.json has no hidden_size.")
    return width


@torch.inference_mode()
def encoded(prompts: Sequence[str], folder: Path) -> Tensor:
    """The last hidden states (N, L, D) of prompts, filled up or cut to 32 tokens. Raises InputError."""
    net, tokenizer = load_pretrained(folder, _check_text), _tokenizer(folder)
    distinct = {prompt: number for number, prompt in enumerate(dict.fromkeys(prompts))}
    try:
        tokens = tokenizer([*distinct], padding="max_length", truncation=True, max_length=LONGEST, return_tensors="pt")
        batches = zip(tokens["input_ids"].split(BATCH), tokens["attention_mask"].split(BATCH), strict=True)
        states = torch.cat([net(input_ids=ids, attention_mask=mask).last_hidden_state for ids, mask in batches])
    except FAULTS as error:
        reason = " ".join(str(error).split())[:150]
        raise InputError(f"The text model in {folder} cannot encode the prompts: {reason}") from error
    return states[[distinct[prompt] for prompt in prompts]].clone()


def _check_text(net: nn.Module, folder: Path) -> None:
    """Raises InputError for a model that is no encoder of text alone."""
    config = net.config
    if getattr(net, "main_input_name", "") != "input_ids" or hasattr(net, "vision_model") or config.is_encoder_decoder:  # type: ignore[union-attr]
        raise InputError(f"{folder} holds {type(net).__name__}, which is no text encoder: save that part alone.")


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    if not any(file for pattern in VOCABULARIES for file in folder.glob(pattern)):  # it would make an empty one
        raise InputError(f"{folder} has no tokenizer beside its model: save it there with its save_pretrained.")
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except FAULTS as error:
        reason = " ".join(str(error).split())[:150]
        raise InputError(f"The tokenizer in {folder} cannot be loaded: {reason}") from error
