"""What a sweep will do and how long that will take: its cells, from counts and a few timed forwards. Writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from samplerbench.methods import FAULTS, Guidance, Sampler
from samplerbench.metrics.forecast import ScoringPace, evaluation_seconds
from samplerbench.metrics.scoring import Scorer
from samplerbench.networks.closed_form import one_thread
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling import reference
from samplerbench.sampling.forecast import Forecast, Pace, depends_on_sampler, forecast, trial_nfe
from samplerbench.sampling.measure import PICTURED
from samplerbench.sweep.dealing import evaluations
from samplerbench.sweep.jobs import Job
from samplerbench.sweep.rates import MeasuredHere, Rates
from samplerbench.sweep.row import one_line
from samplerbench.sweep.session import Session
from samplerbench.sweep.simulate import Schedule, simulate

PENDING, MEASURED, SKIPPED, FAILS = "pending", "measured", "skipped", "fails"


@dataclass(frozen=True)
class PlannedCell:
    """A cell of a plan.

    state: pending, measured, skipped or fails, which is found in the trial. reason: of the last two.
    forecast: of a pending cell. seconds: its time, with scoring. unit: that of each seed block of it, without timing.
    """

    job: Job
    state: str
    reason: str = ""
    forecast: Forecast | None = None
    seconds: float = 0.0
    unit: float = 0.0

    @property
    def nfe(self) -> float | None:
        """Evaluations per image; None where they are unknown."""
        if self.state in (SKIPPED, FAILS):
            return None
        return self.forecast.nfe if self.forecast else self.job.sampler.nfe


@dataclass(frozen=True)
class Plan:
    """The cells of a sweep, in their order.

    images: of each cell. blocks: its seed blocks. batch_size: images at a time. once: seconds that no single cell
    takes. loading: seconds of a process before it can measure.
    """

    cells: Sequence[PlannedCell]
    images: int
    blocks: int
    batch_size: int
    once: float
    loading: float
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

    @property
    def units(self) -> list[PlannedCell]:
        """The cell of each unit of work, a seed block, in the order in which they are dealt: the largest first."""
        cells = sorted(self.pending, key=lambda cell: -evaluations(cell.job))
        return [cell for cell in cells for _ in range(self.blocks)]

    @property
    def timing(self) -> float:
        """The time that it takes to time all cells apart from the units, on one device."""
        return sum(cell.forecast.timing for cell in self.pending if cell.forecast)

    def schedule(self, workers: int) -> Schedule:
        """The units on so many workers. Each does what is done once; several are started by a process like them."""
        start_up = self.loading * (1 + (workers > 1)) + self.once
        return simulate([cell.unit for cell in self.units], workers, start_up)


def plan(session: Session, rates: Rates | None = None) -> Plan:
    """What the sweep needs. rates: where its seconds come from; by default they are measured here."""
    return Planner(session, rates or MeasuredHere()).plan()


class Planner:
    """Times each network, guidance and reference of a session once."""

    def __init__(self, session: Session, rates: Rates):
        self.session, self.prepared, self.rates = session, session.prepared, rates
        self._paces: dict[tuple, Pace] = {}
        self._references: dict[tuple, float] = {}  # seconds
        self._evaluated: dict[LoadedNetwork, float] = {}  # seconds, on exact data

    def plan(self) -> Plan:
        """The plan of the session."""
        loading, scoring = self.rates.start_up(self.session), self.rates.scoring(self.session)
        cells = [self._cell(job, scoring) for job in self.session.jobs]
        memory = [pace.memory_mb for pace in self._paces.values() if pace.memory_mb]
        compiling = {network: pace.once for (network, *_), pace in self._paces.items() if network.compiled}
        once = scoring.once + sum(self._references.values()) + sum(compiling.values())
        prepared = self.prepared
        blocks = len(prepared.seeds)
        images = prepared.samples * blocks or prepared.batch_size
        return Plan(cells, images, blocks, prepared.batch_size, once, loading, max(memory, default=None))

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
        score += self._evaluation(job, network, pace, found)
        unit = (found.untimed + score) / blocks if blocks else 0.0
        return PlannedCell(job, PENDING, "", found, found.seconds + score, unit)

    def _pace(self, sampler: Sampler, network: LoadedNetwork) -> Pace:
        own = (sampler.method, sampler.guidance) if depends_on_sampler(sampler, network) else ()
        key = (network, *own)
        if key not in self._paces:
            self._paces[key] = self.rates.pace(sampler, network, self.prepared.batch_size)
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
