"""Pairs of noise and the image that a teacher generates from it: made once, stored with their hash, read as needed."""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from samplerbench.errors import InputError, writing
from samplerbench.methods import METHODS, Sampler, get_recipe
from samplerbench.networks.counted import CountedNetwork
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.networks.training_cost import TrainingCost
from samplerbench.sampling.noise import IMAGES_PER_BLOCK, PAIRS, ImageNoise, image_labels
from samplerbench.training.progress import TrainingProgress

CHUNK = 500  # pairs generated at a time, and at most lost if interrupted
SOLVER, STEPS, GRID = "unipc", 20, "uniform"  # for `flow` on the digits, 0.010 RMSE from the solution of the ODE


class Pairs:
    """Noise and images (N, C, H, W) in float32 and labels (N,), each an array on disk, in a folder of their own.

    Indices (B,) select a batch: images, labels and noise, on the teacher's device.
    """

    def __init__(self, root: Path, teacher: LoadedNetwork, count: int):
        """root: contains the folders of all pairs. Raises InputError for more pairs than a seed block has images."""
        if not 1 <= count <= IMAGES_PER_BLOCK:
            raise InputError(f"--pairs must be between 1 and {IMAGES_PER_BLOCK}, not {count}.")
        self.folder = root / f"{teacher.name}-{teacher.origin.digest}-{count}"
        self.teacher, self.count = teacher, count
        images = (np.float32, (count, *teacher.image_shape))
        self._kinds: dict[str, tuple[type, tuple[int, ...]]] = {
            "images": images,
            "labels": (np.int64, (count,)),
            "noise": images,
        }
        self._arrays: dict[str, np.memmap] = {}

    def make(self) -> Iterator[TrainingProgress]:
        """Generate the pairs that are missing. Reports the progress after every chunk.

        Raises InputError if the folder cannot be written, or its files have changed since they were made.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            done = self._facts().get("done", 0)
            if done < self.count:
                yield from self._fill(done)
            self._open("r")
        if "digest" not in self._facts():
            self._note(digest=self._hash())
        elif self._facts()["digest"] != self._hash():
            raise self._damaged("their hash has changed")

    def _fill(self, done: int) -> Iterator[TrainingProgress]:
        self._open("r+" if done else "w+")
        counted = CountedNetwork(self.teacher.eager)
        while done < self.count:
            start, before, end = time.perf_counter(), counted.evaluations, min(done + CHUNK, self.count)
            self._generate(counted, done, end)
            seconds, nfe = time.perf_counter() - start, counted.evaluations - before
            spent = self._facts()
            self._note(done=end, nfe=spent.get("nfe", 0) + nfe, seconds=round(spent.get("seconds", 0) + seconds, 1))
            yield TrainingProgress(end, self.count, None, (end - done) / seconds, "pairs")
            done = end

    @torch.inference_mode()
    def _generate(self, counted: CountedNetwork, start: int, end: int) -> None:
        teacher, indices = self.teacher, range(start, end)
        noise = ImageNoise(0, indices, PAIRS)
        x = noise(torch.empty(len(indices), *teacher.image_shape, device=teacher.device))
        labels = image_labels(0, indices, teacher.classes, PAIRS) if teacher.classes else torch.zeros(len(indices))
        field = teacher.field(counted, labels.to(teacher.device) if teacher.classes else None)
        sampler = Sampler(METHODS.get(SOLVER), STEPS, GRID, trained=get_recipe(teacher.name), learned_path=teacher.path)
        for name, value in (("noise", x), ("images", sampler.sample(field, x, noise)), ("labels", labels)):
            self._arrays[name][start:end] = value.cpu().numpy()
            self._arrays[name].flush()

    @property
    def label(self) -> str:
        """Their number, and the first 12 hexadecimal digits of the SHA-256 of the three arrays."""
        return f"{self.count} {self._facts()['digest']}"

    @property
    def cost(self) -> TrainingCost:
        """The cost of generating them."""
        return TrainingCost("", 0, self._facts()["seconds"], self._facts()["nfe"])

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, chosen: Tensor) -> tuple[Tensor, ...]:
        device = self.teacher.device
        return tuple(torch.from_numpy(self._arrays[name][chosen.numpy()]).to(device) for name in self._kinds)

    def _open(self, mode: Any) -> None:
        try:
            for name, (dtype, shape) in self._kinds.items():
                file = self.folder / f"{name}.npy"
                if mode == "w+":
                    self._arrays[name] = np.lib.format.open_memmap(file, mode, dtype, shape)
                else:
                    self._arrays[name] = np.lib.format.open_memmap(file, mode)
        except (ValueError, FileNotFoundError) as error:
            raise self._damaged(str(error)) from error

    def _hash(self) -> str:
        total = hashlib.sha256()
        for name in self._kinds:
            with (self.folder / f"{name}.npy").open("rb") as file:
                while chunk := file.read(1 << 20):
                    total.update(chunk)
        return total.hexdigest()[:12]

    def _facts(self) -> dict[str, Any]:
        path = self.folder / "pairs.json"
        try:
            return json.loads(path.read_text()) if path.exists() else {}
        except ValueError as error:
            raise self._damaged(f"pairs.json: {error}") from error

    def _note(self, **facts: object) -> None:
        solved = {"teacher": self.teacher.name, "solver": SOLVER, "steps": STEPS, "grid": GRID, "noise": PAIRS}
        partial = self.folder / "pairs.json.partial"
        partial.write_text(json.dumps(solved | self._facts() | facts, indent=2) + "\n")
        os.replace(partial, self.folder / "pairs.json")

    def _damaged(self, reason: str) -> InputError:
        return InputError(
            f"The pairs in {str(self.folder)!r} are damaged ({reason}): remove the folder to make them again."
        )
