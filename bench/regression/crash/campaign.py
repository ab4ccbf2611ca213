"""All faults, each several times: after each, the same command must end with the same rows."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import TemporaryDirectory

from samplerbench.errors import InputError
from samplerbench.regression.crash.faults import FAULTS, Fault
from samplerbench.regression.crash.outcome import Outcome, Verdict
from samplerbench.regression.crash.setting import Setting, Size, install_probe
from samplerbench.regression.crash.training import crash_training
from samplerbench.regression.crash.trial import Trial, Undisturbed, measure_undisturbed

KILLS_PER_TRIAL = 20  # trials of a fault that is no kill: one for so many kills
MISSES = 20  # trials in a row in which a fault may come too late


def campaign(
    kills: int,
    training_kills: int,
    workers: int = 1,
    device: str = "cpu",
    size: Size | None = None,
    faults: Sequence[Fault] = FAULTS,
) -> Iterator[Outcome]:
    """Crash a sweep and a training; yields after each trial what came of its fault so far.

    The random moments are the same fractions of the undisturbed time in every campaign. Raises InputError where there
    is no /proc, or if the sweep or the training fails by itself.
    """
    if not Path("/proc/self/stat").exists():
        raise InputError("--crash needs Linux, where /proc lists the processes that a run has left behind.")
    with TemporaryDirectory(prefix="samplerbench-crash-") as folder:
        setting = Setting(Path(folder), workers, device, size or Size())
        install_probe(setting.folder)
        if faults:
            undisturbed = measure_undisturbed(setting)
        for fault, trials in planned(faults, kills, workers).items():
            yield from _trials(fault, trials, setting, undisturbed)
        if training_kills:
            yield from crash_training(setting, training_kills, Random("training"))


def planned(faults: Sequence[Fault], kills: int, workers: int) -> dict[Fault, int]:
    """How many trials each fault gets. The kills are dealt out evenly among those that can be brought about."""
    killing = [fault for fault in faults if fault.kills and not fault.not_run(workers)]
    shares = {fault: len(range(place, kills, len(killing))) for place, fault in enumerate(killing)}
    return {fault: 0 if fault.kills else -(-kills // KILLS_PER_TRIAL) for fault in faults} | shares


def _trials(fault: Fault, trials: int, setting: Setting, undisturbed: Undisturbed) -> Iterator[Outcome]:
    outcome, rng, misses = Outcome(fault.name, trials), Random(fault.name), 0
    if reason := fault.not_run(setting.workers):
        yield Outcome(fault.name, 0, not_run=reason)
        return
    while outcome.trials < trials and misses < MISSES:
        folder = setting.folder / "trial"
        verdict = _trial(fault, Trial(folder, setting, undisturbed, rng, *fault.options(setting.workers)))
        rmtree(folder)
        misses = 0 if verdict else misses + 1
        if verdict:
            outcome = outcome.after(verdict)
            yield outcome
    if misses:
        yield outcome.after(Verdict(False, problem=f"The fault came too late {MISSES} times in a row."), 0)


def _trial(fault: Fault, trial: Trial) -> Verdict | None:
    """What came of a fault; None if it came too late."""
    with fault.around(trial):
        return trial.verdict() if fault.strike(trial) or trial.problem else None
