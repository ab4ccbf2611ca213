"""Models in folders that transformers saved, loaded without running code or fetching anything."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from samplerbench.errors import InputError
from samplerbench.methods import FAULTS
from samplerbench.networks.published.folder import check_depth, read_config, tensor_shapes, weight_files

# Keys of a configuration that name something elsewhere, such as code to run or a kernel or backbone to fetch.
REFUSED = {"auto_map", "attn_implementation", "_attn_implementation", "quantization_config", "backbone",
           "use_pretrained_backbone"}  # fmt: skip
Unused = Callable[[nn.Module, str], bool]


def load_pretrained(folder: Path, takes: str, kind: str, unused: Unused = lambda net, name: False) -> nn.Module:
    """The model of a folder, in float32, its size compared with that of its weights before memory is taken.

    takes: its main input, `pixel_values` or `input_ids`. kind: how messages call such a model. unused: whether a weight
    of that name may be missing.
    Raises InputError for a folder of anything else, or one that is damaged.
    """
    config, files = read_config(folder / "config.json"), weight_files(folder)
    for part in _parts(config):
        refused = sorted(key for key in REFUSED & part.keys() if part[key])
        if refused:
            raise InputError(f"{folder / 'config.json'} has {refused[0]}, which may fetch or run code: remove it.")
    shapes = tensor_shapes(files)
    check_depth(config, len(shapes), folder)
    try:
        from transformers import AutoConfig, AutoModel
        from transformers.utils import logging
    except ImportError as error:
        raise InputError("transformers is not installed: pip install 'samplerbench[encoders]'.") from error
    logging.set_verbosity_error()  # it lists the weights that a model does not use, such as those of a classifier
    logging.disable_progress_bar()
    try:
        described = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):
            skeleton = AutoModel.from_config(described, trust_remote_code=False)
        if getattr(skeleton, "main_input_name", "") != takes or hasattr(skeleton, "text_model") != (takes == "TEXT"):
            raise InputError(f"{folder} holds {type(skeleton).__name__}, which is no {kind} model: save that part alone.")
        _check_size(skeleton, shapes, files[0])
        with torch.random.fork_rng(devices=[]):
            net, found = AutoModel.from_pretrained(
                folder, config=described, local_files_only=True, trust_remote_code=False, use_safetensors=True,
                output_loading_info=True,
            )  # fmt: skip
    except InputError:
        raise
    except FAULTS as error:
        reason = " ".join(str(error).split())[:150]
        raise InputError(f"{folder} cannot be loaded by transformers: {type(error).__name__}: {reason}") from error
    _check_complete(net, found["missing_keys"], files[0], unused)
    return net.float().requires_grad_(False).eval()
