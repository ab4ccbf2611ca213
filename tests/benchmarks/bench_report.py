"""`bench report` of ten thousand rows: 40 methods under ten guidances at 25 step counts, with five seed blocks each.

pytest tests/benchmarks/bench_report.py
"""

from itertools import product

import numpy as np

STEPS = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 35, 40, 50, 60, 70, 80, 90, 100, 120, 150, 200, 250]
GUIDANCES = ["", *(f"cfg[scale={weight}]" for weight in range(1, 10))]


def test_report(benchmark, tmp_path, write_run, cell, bench_report):
    draw = np.random.default_rng(0)
    rows = [
        cell(f"m{method}", 3 + 50 / steps + 0.1 * draw.normal(), steps=steps, guidance=guidance, cell=f"{number:012x}")
        for number, (guidance, method, steps) in enumerate(product(GUIDANCES, range(40), STEPS))
    ]
    run = write_run(tmp_path / "run", *rows)
    printed = benchmark.pedantic(bench_report, (run,), rounds=1)
    assert "10000 cells measured" in (run / "report.md").read_text(), printed.output
