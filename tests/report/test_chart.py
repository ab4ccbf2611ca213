"""The charts as data, and that both renderers draw the same."""

import numpy as np
import pytest
from matplotlib.colors import same_color

from samplerbench.report import render_matplotlib, render_plotly
from samplerbench.report.chart import CEILING, FLOOR, FRONT, PUBLISHED, WORSE, charts, legend
from samplerbench.report.looks import looks
from samplerbench.report.ticks import ticks
from samplerbench.store.results import load


def drawn(results):
    return charts(results, looks([results]))


@pytest.fixture
def student(tmp_path, write_run, cell):
    """A method that gets worse from 2 to 4 evaluations, beside one that does not."""
    rises = [cell("student", fid, steps=steps, jitter="b") for steps, fid in ((1, 6.0), (2, 5.0), (4, 5.5), (8, 4.0))]
    return load(write_run(tmp_path, *rises, *(cell("solver", 9.0 - steps, steps=steps) for steps in (1, 2, 4))))


def test_a_chart_holds_lines_fronts_levels_and_rings(student):
    quality, latency = drawn(student)
    assert quality.title == "FID (digits-cnn) against evaluations"
    assert latency.title == "FID (digits-cnn) against time on cpu (A), 2 threads"
    assert [series.name for series in quality.series] == ["student", "solver"]
    assert quality.series[0].points.x == [1, 2, 4, 8]
    assert quality.series[0].points.y == pytest.approx([6.0, 5.0, 5.5, 4.0])
    assert quality.series[0].above == pytest.approx(quality.series[0].below)
    assert quality.series[0].points.hover[0][:4] == ["student", "1 step", "NFE 1", "6.00 ± 0.26"]
    assert latency.series[0].points.x[0] == pytest.approx(60 / 256), "milliseconds per image"
    assert latency.series[0].beside[0] == pytest.approx(0.5 / 256)
    assert latency.series[0].points.hover[0][-1] == "0.234 ms per image"
    assert quality.front.x == [1, 2, 8]
    assert quality.front.y == pytest.approx([6.0, 5.0, 4.0])
    assert (*quality.worse.x, *quality.worse.y) == (4, pytest.approx(5.5))
    assert [(level.name, level.value, level.drawn) for level in quality.levels] == [
        (FLOOR, 3.0, True), (CEILING, 311.0, False),
    ]  # fmt: skip
    assert [text for _, text in quality.x.ticks] == ["1", "2", "4", "8"]


def test_one_block_has_no_error_bars(tmp_path, write_run, cell):
    (quality, _) = drawn(load(write_run(tmp_path, cell("a", 5.0, blocks=1))))
    assert quality.series[0].above is quality.series[0].below is None
    assert render_plotly.figure(quality).data[1].error_y.array is None


def test_a_method_looks_the_same_wherever_it_is_drawn(student):
    styles = looks([student])
    assert len(set(styles.values())) == 2
    for chart in drawn(student):
        traces = {trace.name: trace for trace in render_plotly.figure(chart).data}
        lines = render_matplotlib.figure(chart).axes[0].containers
        for container, (name, look) in zip(lines, styles.items(), strict=True):
            assert (traces[name].line.color, traces[name].marker.symbol) == (look.colour, look.symbol)
            assert same_color(container.lines[0].get_color(), look.colour)
            assert container.lines[0].get_marker() == render_matplotlib.MARKERS[look.symbol]


def test_looks_are_shared_by_protocols_and_few_methods_are_all_in_colour(tmp_path, write_run, cell):
    one = load(write_run(tmp_path / "a", *(cell(f"m{index}", 5.0 + index) for index in range(11))))
    two = load(write_run(tmp_path / "b", cell("m3", 5.0), cell("new", 6.0)))
    styles = looks([one, two])
    assert len({(look.colour, look.symbol) for look in styles.values()}) == 12
    assert all(look.focus for look in styles.values())
    assert looks([one])["m3"] == styles["m3"]


def test_of_many_methods_those_that_lead_are_in_focus(tmp_path, write_run, cell):
    rows = [cell(f"m{index}", 5.0 + index, steps=steps) for index in range(40) for steps in (10, 20)]
    rows += [cell("ddim", 30.0), cell("quick", 20.0, steps=5)]
    results = load(write_run(tmp_path, *rows))
    styles = looks([results])
    assert {name for name, look in styles.items() if look.focus} == {"m0", "quick", "ddim"}
    (quality, _) = charts(results, styles)
    traces = {trace.name: trace for trace in render_plotly.figure(quality).data}
    assert traces["m0"].line.width > traces["m9"].line.width
    (picture_legend,) = render_matplotlib.figure(quality).legends
    assert [text.get_text() for text in picture_legend.get_texts()][-1] == "39 other methods"


def test_a_chart_draws_no_more_methods_than_can_be_told_apart(tmp_path, write_run, cell, monkeypatch):
    monkeypatch.setattr("samplerbench.report.chart.MOST", 14)
    rows = [cell(f"m{index}", 25.0 - index, steps=steps) for index in range(20) for steps in (10, 20)]
    quality, latency = drawn(load(write_run(tmp_path, *rows)))
    assert quality.title == "FID (digits-cnn) against evaluations (14 of 20 methods)"
    for chart in (quality, latency):
        names = [series.name for series in chart.series]
        assert len(names) == 14
        assert {"m19", "m0"} <= set(names), "the best, and the first of the others"


def test_an_axis_is_not_stretched_by_what_is_far_from_good(tmp_path, write_run, cell):
    (quality, _) = drawn(load(write_run(tmp_path, cell("a", 5.0), cell("b", 6.0), cell("bad", 500.0))))
    assert quality.y.limits[1] == pytest.approx(60)
    arrows = [trace for trace in render_plotly.figure(quality).data if trace.marker.symbol == "arrow-up"]
    assert [(trace.name, trace.hovertext[0].split("<br>")[3]) for trace in arrows] == [("bad", "500 ± 0.28")]
    assert arrows[0].y[0] < 60


def test_both_renderers_ring_what_gets_worse(student):
    quality, latency = drawn(student)
    ring = next(trace for trace in render_plotly.figure(quality).data if trace.name == WORSE)
    assert (*ring.x, *ring.y) == (4, pytest.approx(5.5))
    axes = render_matplotlib.figure(quality).axes[0]
    (ring,) = [line for line in axes.lines if line.get_markersize() > 10]
    assert (*ring.get_xdata(), *ring.get_ydata()) == (4, pytest.approx(5.5))
    assert any(entry.name == WORSE for entry in legend([quality]))
    assert not latency.worse.x


def test_a_method_that_only_gets_better_is_not_ringed(tmp_path, write_run, cell):
    results = load(write_run(tmp_path, *(cell("a", 9.0 - steps, steps=steps) for steps in (1, 2, 4))))
    found = drawn(results)
    assert not any(entry.name == WORSE for entry in legend(found))
    assert not any(trace.name == WORSE for chart in found for trace in render_plotly.figure(chart).data)
    assert not any(line.get_markersize() > 10 for line in render_matplotlib.figure(found[0]).axes[0].lines)


def test_the_legend_has_methods_first_and_each_once(student):
    entries = legend(drawn(student))
    assert [entry.name for entry in entries] == ["student", "solver", FRONT, WORSE, FLOOR, CEILING]
    assert [entry.method for entry in entries] == [True, True, False, False, False, False]
    assert {entry.name: entry.shown for entry in entries if not entry.shown} == {CEILING: False}


def test_grids_of_one_method_are_lines_of_their_own(tmp_path, write_run, cell):
    rows = [cell("a", 5.0, grid="uniform", own_grid="true"), cell("a", 4.0, grid="logsnr", own_grid="false", cell="x")]
    results = load(write_run(tmp_path, *rows, cell("b", 6.0, grid="logsnr", own_grid="true")))
    names = [entry.name for entry in legend(drawn(results)) if entry.method]
    assert names == ["a, uniform (default)", "a, logsnr", "b"]


def test_errors_against_exact_solutions_have_a_chart_with_fitted_orders(tmp_path, write_run, cell):
    errors = {"order": 2.98, "order_declared": 3.0}
    rows = [cell("a", np.nan, steps=steps, trajectory_rmse=steps**-3.0, **errors) for steps in (10, 20)]
    rows += [cell("b", np.nan, steps=10, trajectory_rmse=0.1), cell("c", 5.0, trajectory_rmse=np.nan)]
    found = drawn(load(write_run(tmp_path, *rows)))
    assert [chart.stem for chart in found] == ["quality", "error", "latency"]
    error = found[1]
    assert [series.name for series in error.series] == ["a", "b"]
    assert [entry.text for entry in legend(found) if entry.method] == ["c", "a, order 2.98 (of 3)", "b"]
    assert error.series[0].points.hover[0] == ["a", "10 steps", "NFE 10", "trajectory RMSE 0.001", "order 2.98 (of 3)"]
    assert render_plotly.figure(error).data[0].y == pytest.approx((1e-3, 1.25e-4))


def test_the_ceiling_is_drawn_where_it_squeezes_nothing(tmp_path, write_run, cell):
    (quality, _) = drawn(load(write_run(tmp_path, cell("a", 320.0), cell("b", 40.0))))
    assert [level.drawn for level in quality.levels] == [True, True]
    lines = [line.get_ydata()[0] for line in render_matplotlib.figure(quality).axes[0].lines if len(line.get_ydata())]
    assert 311.0 in lines


def test_published_results_are_points_of_the_chart(tmp_path, write_run, cell):
    rows = [cell("ddim", 15.0, dataset="cifar10"), cell("ddim", 5.0, steps=50, dataset="cifar10")]
    quality, _ = drawn(load(write_run(tmp_path, *rows, extractor="inception-v3-compat")))
    assert len(quality.published.x) > 5
    assert all(lines[3].startswith("FID ") for lines in quality.published.hover)
    trace = next(trace for trace in render_plotly.figure(quality).data if trace.name == PUBLISHED)
    assert [*trace.x] == quality.published.x
    (points,) = [line for line in render_matplotlib.figure(quality).axes[0].lines if line.get_marker() == "d"]
    assert [*points.get_ydata()] == quality.published.y
    assert quality.y.limits[0] < min(quality.published.y)


def test_names_are_escaped(tmp_path, write_run, cell):
    (quality, _) = drawn(load(write_run(tmp_path, cell("a", 5.0, options="x=<b>"))))
    assert "a[x=&lt;b&gt;]" in render_plotly.figure(quality).data[1].hovertext[0]


def test_a_method_that_never_calls_the_network_has_no_place_on_the_axis_of_evaluations():
    assert ticks([0, 0]) == ticks([]) == []
    assert ticks([0, 5, 10], few=3) == [5, 10]
