"""What a sweep will do and how long that will take: its cells, from counts and a few timed forwards. Writes nothing."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch

from samplerbench.methods import FAULTS, Guidance, Sampler
from samplerbench.metrics.forecast import ScoringPace, evaluation_seconds, scoring_pace
from samplerbench.metrics.scoring import Scorer
from samplerbench.networks.closed_form import one_thread
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling import reference
from samplerbench.sampling.forecast import Forecast, Pace, depends_on_sampler, forecast, pace_of, trial_nfe
from samplerbench.sampling.measure import PICTURED
from samplerbench.sweep.jobs import Job
from samplerbench.sweep.row import one_line
from samplerbench.sweep.session import Session

PENDING, MEASURED, SKIPPED, FAILS = "pending", "measured", "skipped", "fails"


@dataclass(frozen=True)
class PlannedCell:
    """A cell of a plan.

    state: pending, measured, skipped or fails, which is found in the trial. reason: of the last two.
    forecast: of a pending cell. seconds: its time, with scoring.
    """

    job: Job
    state: str
    reason: str = ""
    forecast: Forecast | None = None
    seconds: float = 0.0

    @property
    def nfe(self) -> float | None:
        """Evaluations per image; None where they are unknown."""
        if self.state in (SKIPPED, FAILS):
            return None
        return self.forecast.nfe if self.forecast else self.job.sampler.nfe


@dataclass(frozen=True)
class Plan:
    """The cells of a sweep, in their order.

    images: of each cell. batch_size: images at a time. once: seconds that no single cell takes.
    """

    cells: Sequence[PlannedCell]
    images: int
    batch_size: int
    once: float
    memory_mb: float | None

    @property
    def pending(self) -> list[PlannedCell]:
        """The cells that will be measured."""
        return [cell for cell in self.cells if cell.state == PENDING]

    @property
    def evaluations(self) -> int:
        """Evaluations of single images that are left to do."""
        return sum(cell.forecast.evaluations for cell in self.pending if cell.forecast)

    @property
    def seconds(self) -> float:
        """The time that is left, without loading networks and writing the report."""
        return sum(cell.seconds for cell in self.pending) + (self.once if self.pending else 0)


def plan(session: Session) -> Plan:
    """Time what the sweep needs, on its device."""
    return Planner(session).plan()


class Planner:
    """Times each network, guidance and reference of a session once."""

    def __init__(self, session: Session):
        self.session, self.prepared = session, session.prepared
        self._paces: dict[tuple, Pace] = {}
        self._references: dict[tuple, float] = {}  # seconds
        self._evaluated: dict[LoadedNetwork, float] = {}  # seconds, on exact data

    def plan(self) -> Plan:
        """The plan of the session."""
        scoring = self._scoring()
        cells = [self._cell(job, scoring) for job in self.session.jobs]
        memory = [pace.memory_mb for pace in self._paces.values() if pace.memory_mb]
        compiling = {network: pace.once for (network, *_), pace in self._paces.items() if network.compiled}
        once = scoring.once + sum(self._references.values()) + sum(compiling.values())
        prepared = self.prepared
        images = prepared.samples * len(prepared.seeds) or prepared.batch_size
        return Plan(cells, images, prepared.batch_size, once, max(memory, default=None))

    def _scoring(self) -> ScoringPace:
        scorer = self.prepared.scorer
        return scoring_pace(scorer, self.prepared.samples) if isinstance(scorer, Scorer) else ScoringPace()

    def _cell(self, job: Job, scoring: ScoringPace) -> PlannedCell:
        if job.skip:
            return PlannedCell(job, SKIPPED, job.skip)
        if job not in self.session.pending:
            return PlannedCell(job, MEASURED)
        try:
            if job.fault:
                raise job.fault
            return self._pending(job, scoring)
        except FAULTS as error:  # a plug-in may raise anything, and the device may lack memory
            if self.prepared.device.type == "cuda":
                torch.cuda.empty_cache()
            return PlannedCell(job, FAILS, one_line(error, job.sampler.method))

    def _pending(self, job: Job, scoring: ScoringPace) -> PlannedCell:
        prepared, network = self.prepared, self.prepared.network(job)
        blocks = len(prepared.seeds)
        pace = self._pace(job.sampler, network)
        found = forecast(job.sampler, network, pace, prepared.samples, blocks, prepared.sweep.timing)
        score = blocks * (prepared.samples * scoring.image + scoring.block)
        return PlannedCell(job, PENDING, "", found, found.seconds + score + self._evaluation(job, network, pace, found))

    def _pace(self, sampler: Sampler, network: LoadedNetwork) -> Pace:
        own = (sampler.method, sampler.guidance) if depends_on_sampler(sampler, network) else ()
        key = (network, *own)
        if key not in self._paces:
            with one_thread() if network.exact else nullcontext():
                self._paces[key] = pace_of(sampler, network, self.prepared.batch_size)
        return self._paces[key]

    def _evaluation(self, job: Job, network: LoadedNetwork, pace: Pace, found: Forecast) -> float:
        """The seconds of metrics that run the sampler again; and those of references, which are shared, are noted."""
        metrics, blocks = self._sampler_metrics(), self.prepared.seeds
        if network.exact:
            return len(blocks) * self._evaluate(job, network) if metrics else 0.0
        if metrics:
            self._note_reference(network.teacher or network, job.sampler.guidance, reference.IMAGES, len(blocks))
        elif network.teacher and blocks:
            self._note_reference(network.teacher, job.sampler.guidance, PICTURED, 1)
        return metrics * len(blocks) * found.nfe * pace.seconds(reference.IMAGES)

    def _sampler_metrics(self) -> int:
        scorer = self.prepared.scorer
        return len(scorer.of_samplers) if isinstance(scorer, Scorer) else 0

    def _evaluate(self, job: Job, network: LoadedNetwork) -> float:
        """The seconds of these metrics on exact data, where they are short: those of the network's first cell."""
        if network not in self._evaluated:
            with one_thread():
                self._evaluated[network] = evaluation_seconds(self.prepared.scorer, job.sampler, network)
        return self._evaluated[network]

    def _note_reference(self, network: LoadedNetwork, guidance: Guidance | None, images: int, blocks: int) -> None:
        key = (network, guidance)
        if key not in self._references:
            sampler = reference.reference_sampler(network, guidance)
            seconds = self._pace(sampler, network).seconds(images)
            self._references[key] = blocks * trial_nfe(sampler, network) * seconds
