"""Runs a training: resumes it, saves its state on the way, and writes its checkpoint."""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from samplerbench.errors import InputError, writing
from samplerbench.models import CheckpointError, CheckpointFacts, load, save
from samplerbench.models.checkpoint import Storage
from samplerbench.store.provenance import utc_now
from samplerbench.training.loop import Settings, Task, Trainer
from samplerbench.training.loss_curve import LossCurve
from samplerbench.training.modules import checkpoint_weights
from samplerbench.training.options import SAVE_EVERY
from samplerbench.training.progress import TrainingProgress

LOG_EVERY = 50  # iterations per point of the loss curve


def run_training(
    task: Task, settings: Settings, output: Path, storage: Storage, save_every: float = SAVE_EVERY
) -> Iterator[TrainingProgress]:
    """Train to the end, reporting progress, and write the averaged weights to `output`.

    The state and the loss curve are written beside it; a state that is there is resumed. save_every: seconds of
    training between two saves of the state, from which a killed training resumes. Of several processes, rank 0
    reports and writes. Raises InputError if the state belongs to another training or the folder cannot be written,
    CheckpointError if it is damaged.
    """
    trainer, facts = Trainer(task, settings), _with_settings(task.facts, settings)
    state_file = output.with_suffix(".state.safetensors")
    with writing(output.parent):
        _resume(trainer, facts, state_file)
        if task.share.rank == 0:
            yield from _recorded(trainer, facts, state_file, output, save_every)
            weights = checkpoint_weights(trainer.ema.weights)
            facts = replace(facts, iterations=str(trainer.iteration), cost=str(trainer.cost), date=utc_now())
            facts = replace(facts, **(task.finish(weights) if task.finish else {}))
            save(output, weights, facts.metadata, storage)
        else:
            deque(trainer.run(), maxlen=0)
    task.share.wait()  # for the checkpoint, which may be that of a teacher


def _recorded(
    trainer: Trainer, facts: CheckpointFacts, state_file: Path, output: Path, save_every: float
) -> Iterator[TrainingProgress]:
    """Train to the end, reporting progress, and write the loss curve and, on the way and at the end, the state."""
    settings, saved = trainer.settings, trainer.seconds
    curve = LossCurve(output.with_suffix(".loss.csv"), LOG_EVERY, trainer.iteration)
    try:
        for loss in trainer.run():
            point = curve.add(trainer.iteration, loss, settings.batch_size)
            if trainer.seconds - saved >= save_every:
                save(state_file, trainer.state(), facts.metadata)
                saved = trainer.seconds
            if point:
                yield TrainingProgress(point.iteration, settings.iterations, point.loss, point.rate)
    finally:
        if trainer.between_iterations:  # else an interrupt hit the update of the weights: keep the last state
            save(state_file, trainer.state(), facts.metadata)
        curve.plot()


def _with_settings(facts: CheckpointFacts, settings: Settings) -> CheckpointFacts:
    """The facts with the settings that a resumed training must share; it may ask for more iterations.

    The default arithmetic is left empty, as it is in the states of older versions.
    """
    shared = {key: json.dumps(value) for key, value in asdict(settings).items() if key != "iterations"}
    dtype = "" if settings.dtype == "float32" else settings.dtype
    return replace(facts, **(shared | {"dtype": dtype, "compile": "true" if settings.compile else ""}))


def _resume(trainer: Trainer, facts: CheckpointFacts, state_file: Path) -> None:
    if not state_file.exists():
        return
    state = load(state_file)
    differing = [key for key, value in asdict(facts).items() if asdict(state.facts)[key] != value]
    if differing:
        raise InputError(
            f"{state_file} belongs to a training with another {', '.join(differing)}: remove it or choose another "
            "--output."
        )
    try:
        trainer.restore(state.weights)
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"{state_file} is not the state of this network: remove it to start from the beginning."
        ) from error
