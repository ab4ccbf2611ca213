from dataclasses import replace

from samplerbench.cli.tune import describe
from samplerbench.sweep.tune import Found

FOUND = Found(5, 10, {"uniform": 0.3, "karras": 0.2}, 0.1, "karras", 0.03, 0.01, [1.0, 0.0], "")


def test_the_grids_are_listed_best_first_and_the_default_is_marked():
    assert describe(FOUND, "uniform") == [
        "5 steps, 10 NFE: trajectory RMSE on held-out noise",
        "  searched            0.1000",
        "  karras              0.2000",
        "  uniform (default)   0.3000",
        "  better than karras: mean squared error lower by 0.03 ± 0.01",
    ]


def test_a_searched_grid_that_is_not_significantly_better_is_not_kept():
    last = describe(replace(FOUND, reach=0.04, kept="karras"), "uniform")[-1]
    assert last.strip().startswith("not significantly better than karras (mean squared error lower by 0.03 ± 0.04)")
    assert last.endswith("the file holds the times of karras")
