"""References for research checkpoints: networks as plain functions that make their weights as they go, and pickles as
torch_utils.persistence writes them."""

import pickle
import sys
from collections.abc import Callable, Mapping
from math import log, pi, sqrt
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samplerbench.networks.closed_form import one_thread


class Weights(dict):
    """Weights by name, drawn when they are first asked for; float32 in the file, float64 in the reference."""

    def __init__(self, prefix: str = ""):
        super().__init__()
        self.prefix, self.generator = prefix, torch.Generator().manual_seed(7)

    def __call__(self, name: str, *shape: int) -> Tensor:
        name = self.prefix + name
        if name not in self:
            fan = max(1, shape[-1] if len(shape) == 2 else torch.Size(shape[1:]).numel())
            self[name] = torch.randn(shape, generator=self.generator) / sqrt(fan)
        return self[name].double()

    def linear(self, name: str, x: Tensor, outputs: int, bias: bool = True) -> Tensor:
        weight = self(f"{name}.weight", outputs, x.shape[1])
        return x @ weight.T + (self(f"{name}.bias", outputs) if bias else 0)

    def conv(self, name: str, x: Tensor, outputs: int, size: int, **options: int) -> Tensor:
        weight, bias = self(f"{name}.weight", outputs, x.shape[1], size, size), self(f"{name}.bias", outputs)
        return F.conv2d(x, weight, bias, padding=size // 2, **options)

    def norm(self, name: str, x: Tensor, groups: int, eps: float) -> Tensor:
        scale, shift = (self(f"{name}.{part}", x.shape[1]) for part in ("weight", "bias"))
        parts = x.reshape(len(x), groups, -1)
        mean, var = parts.mean(2, keepdim=True), parts.var(2, unbiased=False, keepdim=True)
        shape = (1, -1, *[1] * (x.ndim - 2))
        return ((parts - mean) / (var + eps).sqrt()).reshape(x.shape) * scale.view(shape) + shift.view(shape)


def attended(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of one head: q, k, v (B, channels, pixels)."""
    weights = torch.einsum("bcq,bck->bqk", q, k / sqrt(q.shape[1])).softmax(2)
    return torch.einsum("bqk,bck->bcq", weights, v)


# EDM's networks.


def kernel(w: Weights, name: str, taps: list[int]) -> Tensor:
    """The filter, which a checkpoint holds beside the weights."""
    f = torch.tensor(taps, dtype=torch.float32)
    w[f"{w.prefix}{name}.resample_filter"] = (f[:, None] * f / f.sum() ** 2)[None, None]
    return (f[:, None] * f / f.sum() ** 2).double()


def each_channel(x: Tensor, f: Tensor) -> Tensor:
    return torch.cat([F.conv2d(channel, f[None, None]) for channel in x.split(1, dim=1)], dim=1)


def resampled(x: Tensor, f: Tensor, up: bool, padding: int | None = None) -> Tensor:
    """By its definition: zeros between the pixels, or every other pixel of the filtered image."""
    pad = (len(f) - 1) // 2 if padding is None else padding
    if not up:
        return each_channel(F.pad(x, (pad,) * 4), f)[..., ::2, ::2]
    spaced = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    spaced[..., ::2, ::2] = x
    left, right = len(f) - 1 - pad, len(f) - 2 - pad
    return each_channel(F.pad(spaced, (left, right, left, right)), 4 * f)


def block(w: Weights, name: str, x: Tensor, emb: Tensor, outputs: int, song: bool, taps: list[int], change: str = "",
          attention: bool = False) -> Tensor:  # fmt: skip
    def norm(part: str, h: Tensor) -> Tensor:
        return w.norm(f"{name}.{part}", h, min(32, h.shape[1] // 4), 1e-6 if song else 1e-5)

    def to(part: str, h: Tensor) -> Tensor:
        return resampled(h, kernel(w, f"{name}.{part}", taps), change == "up") if change else h

    h = w.conv(f"{name}.conv0", to("conv0", F.silu(norm("norm0", x))), outputs, 3)
    affine = w.linear(f"{name}.affine", emb, outputs * (1 if song else 2))[..., None, None]
    if song:
        h = F.silu(norm("norm1", h + affine))
    else:
        h = F.silu(norm("norm1", h) * (affine[:, :outputs] + 1) + affine[:, outputs:])
    h = w.conv(f"{name}.conv1", h, outputs, 3)
    if change or x.shape[1] != outputs:
        projected = song or x.shape[1] != outputs
        x = to("skip", x)
        x = w.conv(f"{name}.skip", x, outputs, 1) if projected else x
    gain = sqrt(0.5) if song else 1
    x = (x + h) * gain
    heads = (1 if song else outputs // 64) if attention else 0
    if heads:
        qkv = w.conv(f"{name}.qkv", norm("norm2", x), 3 * outputs, 1).flatten(2)
        parts = [attended(*(head[:, i::3] for i in range(3))) for head in qkv.chunk(heads, dim=1)]
        x = (x + w.conv(f"{name}.proj", torch.cat(parts, 1).reshape(x.shape), outputs, 1)) * gain
    return x


def edm_unet(w: Weights, o: Mapping[str, Any], x: Tensor, noise: Tensor, label: Tensor | None) -> Tensor:
    """SongUNet or DhariwalUNet with these options: x (B, C, H, W), noise (B,), label (B, classes) or None."""
    song, taps = o["kind"] == "SongUNet", o.get("resample_filter", [1, 1])
    emb = edm_embedding(w, o, noise, label)

    def at(level: int) -> tuple[str, int, bool]:
        side = o["img_resolution"] >> level
        return f"{side}x{side}", o["model_channels"] * o["channel_mult"][level], side in o["attn_resolutions"]

    first = o["model_channels"] * (1 if song else o["channel_mult"][0])
    h, skips, aux = w.conv(f"enc.{at(0)[0]}_conv", x, first, 3), [], x
    skips.append(h)
    for level in range(len(o["channel_mult"])):
        name, width, attention = at(level)
        if level:
            h = block(w, f"enc.{name}_down", h, emb, h.shape[1], song, taps, "down")
            if o.get("encoder_type") == "residual":
                f = kernel(w, f"enc.{name}_aux_residual", taps)
                weight, bias = (w(f"enc.{name}_aux_residual.{part}", *shape) for part, shape in (
                    ("weight", (h.shape[1], aux.shape[1], 3, 3)), ("bias", (h.shape[1],))))  # fmt: skip
                wide = F.conv2d(aux, weight, padding=1 + (len(f) - 1) // 2)
                h = aux = (h + resampled(wide, f, up=False, padding=0) + bias.view(-1, 1, 1)) / sqrt(2)
            if o.get("encoder_type") == "skip":
                aux = resampled(aux, kernel(w, f"enc.{name}_aux_down", taps), up=False)
                h = h + w.conv(f"enc.{name}_aux_skip", aux, h.shape[1], 1)
            skips.append(h)
        for i in range(o["num_blocks"]):
            h = block(w, f"enc.{name}_block{i}", h, emb, width, song, taps, attention=attention)
            skips.append(h)
    image = None
    for level in reversed(range(len(o["channel_mult"]))):
        name, width, attention = at(level)
        if level == len(o["channel_mult"]) - 1:
            h = block(w, f"dec.{name}_in0", h, emb, h.shape[1], song, taps, attention=True)
            h = block(w, f"dec.{name}_in1", h, emb, h.shape[1], song, taps)
        else:
            h = block(w, f"dec.{name}_up", h, emb, h.shape[1], song, taps, "up")
        for i in range(o["num_blocks"] + 1):
            here = attention and (i == o["num_blocks"] or not song)
            h = block(w, f"dec.{name}_block{i}", torch.cat((h, skips.pop()), 1), emb, width, song, taps, attention=here)
        if song and (level == 0 or o.get("decoder_type") == "skip"):
            if image is not None:
                image = resampled(image, kernel(w, f"dec.{name}_aux_up", taps), up=True)
            out = F.silu(w.norm(f"dec.{name}_aux_norm", h, min(32, width // 4), 1e-6))
            out = w.conv(f"dec.{name}_aux_conv", out, o["out_channels"], 3)
            image = out if image is None else image + out
    if song:
        return image
    return w.conv("out_conv", F.silu(w.norm("out_norm", h, min(32, h.shape[1] // 4), 1e-5)), o["out_channels"], 3)


def edm_embedding(w: Weights, o: Mapping[str, Any], noise: Tensor, label: Tensor | None) -> Tensor:
    song, width = o["kind"] == "SongUNet", 4 * o["model_channels"]
    count = o["model_channels"] * o.get("channel_mult_noise", 1)
    if o.get("embedding_type") == "fourier":
        rates = 2 * pi * w("map_noise.freqs", count // 2)
    else:
        rates = (1 / 10_000) ** (torch.arange(count // 2).double() / (count // 2 - song))
    angles = noise[:, None] * rates
    waves = (angles.sin(), angles.cos()) if song else (angles.cos(), angles.sin())
    emb = torch.cat(waves, 1)
    if o.get("augment_dim"):
        emb = emb + w.linear("map_augment", noise.new_zeros(len(noise), o["augment_dim"]), count, bias=False)
    if o["label_dim"] and song:
        emb = emb + w.linear("map_label", label * sqrt(o["label_dim"]), count)
    emb = w.linear("map_layer1", F.silu(w.linear("map_layer0", emb, width)), width)
    if o["label_dim"] and not song:
        emb = emb + w.linear("map_label", label, width, bias=False)
    return F.silu(emb)


# Guided-diffusion's network.


def adm_unet(w: Weights, o: Mapping[str, Any], x: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
    """UNetModel with these options, named as its arguments; `attention` and `widths` are by level."""
    base = o["base"]
    rates = torch.exp(-log(10_000) * torch.arange(base // 2).double() / (base // 2))
    waves = torch.cat(((time[:, None] * rates).cos(), (time[:, None] * rates).sin()), 1)
    emb = w.linear("time_embed.2", F.silu(w.linear("time_embed.0", waves, 4 * base)), 4 * base)
    if o["classes"]:
        emb = emb + w("label_emb.weight", o["classes"], 4 * base)[label]

    def residual(name: str, h: Tensor, outputs: int, change: Callable[[Tensor], Tensor] = lambda h: h) -> Tensor:
        f = change(F.silu(w.norm(f"{name}.in_layers.0", h, 32, 1e-5)))
        f = w.conv(f"{name}.in_layers.2", f, outputs, 3)
        double = 2 if o["scale_shift"] else 1
        affine = w.linear(f"{name}.emb_layers.1", F.silu(emb), double * outputs)[..., None, None]
        if o["scale_shift"]:
            f = w.norm(f"{name}.out_layers.0", f, 32, 1e-5) * (1 + affine[:, :outputs]) + affine[:, outputs:]
        else:
            f = w.norm(f"{name}.out_layers.0", f + affine, 32, 1e-5)
        f = w.conv(f"{name}.out_layers.3", F.silu(f), outputs, 3)
        return f + (w.conv(f"{name}.skip_connection", h, outputs, 1) if h.shape[1] != outputs else change(h))

    def attention(name: str, h: Tensor) -> Tensor:
        flat, channels = h.flatten(2), h.shape[1]
        weight = w(f"{name}.qkv.weight", 3 * channels, channels, 1)[..., 0]
        qkv = weight @ w.norm(f"{name}.norm", flat, 32, 1e-5) + w(f"{name}.qkv.bias", 3 * channels)[:, None]
        heads = o["heads"] or channels // o["head_channels"]
        if o["new_order"]:
            split = [torch.stack(part.chunk(heads, 1)) for part in qkv.chunk(3, 1)]
            parts = [attended(*qkv) for qkv in zip(*split, strict=True)]
        else:
            parts = [attended(*head.chunk(3, 1)) for head in qkv.chunk(heads, 1)]
        weight = w(f"{name}.proj_out.weight", channels, channels, 1)[..., 0]
        return h + (weight @ torch.cat(parts, 1) + w(f"{name}.proj_out.bias", channels)[:, None]).reshape(h.shape)

    def half(h: Tensor) -> Tensor:
        return (h[..., ::2, ::2] + h[..., 1::2, ::2] + h[..., ::2, 1::2] + h[..., 1::2, 1::2]) / 4

    def twice(h: Tensor) -> Tensor:
        return h.repeat_interleave(2, 2).repeat_interleave(2, 3)

    h, levels = w.conv("input_blocks.0.0", x, o["widths"][0], 3), len(o["widths"])
    skips, n = [h], 1
    for level, width in enumerate(o["widths"]):
        for _ in range(o["blocks"]):
            h = residual(f"input_blocks.{n}.0", h, width)
            h = attention(f"input_blocks.{n}.1", h) if level in o["attention"] else h
            skips, n = [*skips, h], n + 1
        if level < levels - 1:
            if o["updown"]:
                h = residual(f"input_blocks.{n}.0", h, width, half)
            else:
                h = w.conv(f"input_blocks.{n}.0.op", h, width, 3, stride=2)
            skips, n = [*skips, h], n + 1
    h = residual("middle_block.0", h, h.shape[1])
    h = residual("middle_block.2", attention("middle_block.1", h), h.shape[1])
    n = 0
    for level, width in reversed(list(enumerate(o["widths"]))):
        for i in range(o["blocks"] + 1):
            h = residual(f"output_blocks.{n}.0", torch.cat((h, skips.pop()), 1), width)
            h = attention(f"output_blocks.{n}.1", h) if level in o["attention"] else h
            if level and i == o["blocks"]:
                name = f"output_blocks.{n}.{1 + (level in o['attention'])}"
                h = residual(name, h, width, twice) if o["updown"] else w.conv(f"{name}.conv", twice(h), width, 3)
            n += 1
    return w.conv("out.2", F.silu(w.norm("out.0", h, 32, 1e-5)), o["outputs"], 3)


# Pickles.


class Persistent(nn.Module):
    """Pickled as objects of a persistent class are. changes: to what is stored of it."""

    def __init__(self, kind: str, source: str, arguments: Mapping[str, Any], **attributes: Any):
        super().__init__()
        object.__setattr__(self, "stored", (kind, source))
        object.__setattr__(self, "changes", {})
        self._init_args, self._init_kwargs = (), dict(arguments)
        for name, value in attributes.items():
            setattr(self, name, value)

    def __reduce__(self) -> tuple:
        (kind, source), changes = self.stored, self.changes
        state = {name: value for name, value in self.__dict__.items() if name not in ("stored", "changes")}
        meta = {"type": "class", "version": 6, "module_src": source, "class_name": kind, "state": state} | changes
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,), None


def tree(outer: Persistent, weights: Mapping[str, Tensor]) -> Persistent:
    """The network with these weights inside it, in modules of their names."""
    for name, value in weights.items():
        *path, last = name.split(".")
        module: nn.Module = outer
        for part in path:
            if part not in module._modules:
                inner = nn.ModuleDict() if part in ("enc", "dec") else Persistent("Layer", outer.stored[1], {})
                if not isinstance(inner, nn.ModuleDict):
                    inner.skip_scale = np.sqrt(0.5)  # EDM's blocks hold numbers of NumPy
                module.add_module(part, inner)
            module = module._modules[part]
        if last in ("resample_filter", "freqs", "u"):
            module.register_buffer(last, value)
        else:
            module.register_parameter(last, nn.Parameter(value, requires_grad=False))
    return outer


def pickled(value: Any, protocol: int = 4) -> bytes:
    """The bytes of a pickle, with the modules that its names are in only while it is made."""
    persistence, util = ModuleType("torch_utils.persistence"), ModuleType("dnnlib.util")

    def _reconstruct_persistent_obj(meta):
        raise AssertionError("only its name is pickled")

    _reconstruct_persistent_obj.__module__, _reconstruct_persistent_obj.__qualname__ = persistence.__name__, (
        "_reconstruct_persistent_obj"
    )  # fmt: skip
    persistence._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        for module in (ModuleType("torch_utils"), persistence, ModuleType("dnnlib"), util):
            patch.setitem(sys.modules, module.__name__, module)
        return pickle.dumps(value, protocol)


@pytest.fixture(autouse=True)
def _one_thread():
    """Threads waiting for each other would slow down these small networks."""
    with one_thread():
        yield


@pytest.fixture(scope="session")
def reference() -> SimpleNamespace:
    """The functions of this file."""
    return SimpleNamespace(
        Weights=Weights, edm_unet=edm_unet, adm_unet=adm_unet, Persistent=Persistent, tree=tree, pickled=pickled
    )
