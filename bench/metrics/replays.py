"""The figures of quality that images do not tell: for these the sampler is run again, on the same noise."""

from dataclasses import dataclass
from typing import ClassVar

from samplerbench.metrics.accumulators import Blind
from samplerbench.metrics.base import METRICS, NO_VERDICT, RISE_IS_WORSE, Metric


@METRICS.register("trajectory_rmse")
@dataclass(frozen=True)
class TrajectoryRMSE(Metric):
    """RMSE of the pixels to a fine solution of the ODE from the same noise: a deterministic solver's error alone.

    None for a student: it need not follow the ODE of its own network.
    """

    columns: ClassVar = {"trajectory_rmse": RISE_IS_WORSE}

    def start(self, real):
        return Blind()

    def replay(self, job, backbone, block, real):
        from samplerbench.sampling.reference import trajectory_rmse

        return {"trajectory_rmse": trajectory_rmse(job, backbone, block)}


@METRICS.register("teacher_distance")
@dataclass(frozen=True)
class TeacherDistance(Metric):
    """How far images are from their teacher's fine ODE solution from the same noise: RMSE of pixels, and by features.

    The teacher is the ordinary network at the head of a student's teachers, and an ordinary network's is itself. The
    mean distance in the extractor's features is divided by that of two arbitrary real images: 1 is no nearer than
    these. None for a sampler that draws noise on its way, nor for a student whose checkpoint names no teacher.
    """

    columns: ClassVar = {"teacher_rmse": RISE_IS_WORSE, "teacher_feature_distance": RISE_IS_WORSE}
    teacher = True

    def start(self, real):
        return Blind()

    def replay(self, job, backbone, block, real):
        from samplerbench.metrics.teacher_distance import teacher_distance

        return dict(zip(self.columns, teacher_distance(job, backbone, block, real), strict=True))


@METRICS.register("order")
@dataclass(frozen=True)
class Order(Metric):
    """Order of convergence fitted to the exact flow from 128 to 256 steps, beside the declared one; exact data only."""

    columns: ClassVar = {"order": NO_VERDICT, "order_declared": NO_VERDICT}
    exact = True

    def start(self, real):
        return Blind()

    def replay(self, job, backbone, block, real):
        from samplerbench.metrics.order import fitted_order

        declared = job.method.convergence
        return {"order": fitted_order(job, backbone), "order_declared": float("nan") if declared is None else declared}
