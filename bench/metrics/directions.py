"""Which way a figure of quality gets worse."""

from samplerbench.metrics.image_metrics import METRICS

# Column -> +1 where a rise is worse, -1 where a fall is. Floors, ceilings and standard errors are no verdict: left out.
DIRECTIONS: dict[str, int] = {
    column: direction
    for name in METRICS.names()
    for column, direction in METRICS.lookup(name).columns.items()
    if direction
}
