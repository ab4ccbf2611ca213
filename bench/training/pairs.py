"""Pairs of noise and the image that a teacher makes of it: made once, kept on disk with their hash, read as needed."""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from math import nan
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from samplerbench.data.datasets import Dataset
from samplerbench.errors import InputError, writing
from samplerbench.methods import METHODS, sample
from samplerbench.networks.training_cost import Cost
from samplerbench.sampling.noise import BLOCKS, IMAGES_PER_BLOCK, ImageNoise, image_labels
from samplerbench.training.teacher import Teacher

BLOCK = BLOCKS - 1  # the seed block whose noise the pairs are made of
CHUNK = 500  # pairs made at a time, and lost by a kill at most
SOLVER, STEPS, GRID = "unipc", 20, "uniform"  # on the digits' flow, 0.010 RMSE from the ODE's solution


class Pairs:
    """Noise and images (N, C, H, W) in float32 and labels (N,), each an array on disk, in a folder of their own.

    Indexed by a batch of indices (B,), they give images, labels and noise on the device.
    """

    def __init__(self, root: Path, teacher: Teacher, dataset: Dataset, count: int, device: torch.device):
        """root: the folder that holds the folders of all pairs. Raises InputError for more than a block's images."""
        if not 1 <= count <= IMAGES_PER_BLOCK:
            raise InputError(f"--pairs must lie between 1 and {IMAGES_PER_BLOCK}, not {count}.")
        self.folder = root / f"{teacher.recipe}-{teacher.checkpoint.digest}-{count}"
        self.teacher, self.count, self.device, self.classes = teacher, count, device, dataset.classes
        image = (dataset.channels, dataset.resolution, dataset.resolution)
        self._kinds = {
            "images": (np.float32, (count, *image)),
            "labels": (np.int64, (count,)),
            "noise": (np.float32, (count, *image)),
        }
        self._arrays: dict[str, np.ndarray] = {}

    def make(self) -> Iterator[tuple[int, float, float]]:
        """Make the pairs that are missing, yielding (pairs there are, NaN, pairs per second) now and then.

        Raises InputError if the folder cannot be written, or its files are not what they were when they were made.
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
            raise InputError(f"The pairs in {str(self.folder)!r} are damaged: remove the folder to make them again.")

    def _fill(self, done: int) -> Iterator[tuple[int, float, float]]:
        self._open("r+" if done else "w+")
        while done < self.count:
            start, before, end = time.perf_counter(), self.teacher.net.evaluations, min(done + CHUNK, self.count)
            self._make(done, end)
            seconds, nfe = time.perf_counter() - start, self.teacher.net.evaluations - before
            spent = self._facts()
            self._note(done=end, nfe=spent.get("nfe", 0) + nfe, seconds=round(spent.get("seconds", 0) + seconds, 1))
            yield end, nan, (end - done) / seconds
            done = end
        self.teacher.net.evaluations = 0  # from here on, what the student's loss asks

    @torch.inference_mode()
    def _make(self, start: int, end: int) -> None:
        noise = ImageNoise(BLOCK, range(start, end))
        x = noise(torch.empty(end - start, *self._kinds["noise"][1][1:], device=self.device))
        labels = image_labels(BLOCK, range(start, end), self.classes) if self.classes else torch.zeros(end - start)
        field = replace(self.teacher.field, label=labels.to(self.device) if self.classes else None)
        images = sample(METHODS.get(SOLVER), field, x, STEPS, noise, GRID)
        for name, value in (("noise", x), ("images", images), ("labels", labels)):
            self._arrays[name][start:end] = value.cpu().numpy()
            self._arrays[name].flush()

    @property
    def label(self) -> str:
        """How many they are, and the first 12 hexadecimal digits of the SHA-256 of the three arrays."""
        return f"{self.count} {self._facts()['digest']}"

    @property
    def cost(self) -> Cost:
        """What it took to make them."""
        return Cost("", 0, self._facts()["seconds"], self._facts()["nfe"])

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return tuple(torch.from_numpy(self._arrays[name][chosen.numpy()]).to(self.device) for name in self._kinds)

    def _open(self, mode: str) -> None:
        try:
            for name, (dtype, shape) in self._kinds.items():
                kind = {"dtype": dtype, "shape": shape} if mode == "w+" else {}
                self._arrays[name] = np.lib.format.open_memmap(self.folder / f"{name}.npy", mode, **kind)
        except (ValueError, FileNotFoundError) as error:
            raise InputError(f"The pairs in {str(self.folder)!r} are damaged ({error}): remove the folder.") from error

    def _hash(self) -> str:
        total = hashlib.sha256()
        for name in self._kinds:
            with (self.folder / f"{name}.npy").open("rb") as file:
                while chunk := file.read(1 << 20):
                    total.update(chunk)
        return total.hexdigest()[:12]

    def _facts(self) -> dict:
        path = self.folder / "pairs.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def _note(self, **facts: object) -> None:
        solved = {"teacher": str(self.teacher.recipe), "solver": SOLVER, "steps": STEPS, "grid": GRID, "block": BLOCK}
        partial = self.folder / "pairs.json.partial"
        partial.write_text(json.dumps(solved | self._facts() | facts, indent=2) + "\n")
        os.replace(partial, self.folder / "pairs.json")
