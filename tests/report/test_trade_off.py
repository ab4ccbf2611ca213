import pytest

from samplerbench.metrics.column import Column
from samplerbench.report import render_matplotlib, render_plotly
from samplerbench.report.looks import looks
from samplerbench.report.trade_off import trade_off
from samplerbench.store.results import load


@pytest.fixture
def drawn(tmp_path, write_run, metric_columns):
    """drawn(*rows): the charts of a run with these rows, which may have an accuracy."""
    columns = [*metric_columns, Column("class_accuracy", "class accuracy", "higher", meaning="**class accuracy**: .")]

    def drawn(*rows):
        results = load(write_run(tmp_path, *rows, columns=columns))
        return trade_off(results, looks([results]))

    return drawn


def test_it_is_a_line_for_each_sampler_in_the_order_of_the_weights(drawn, cell):
    rows = [
        cell("a", fid, guidance=weight, class_accuracy=accuracy, **more)
        for more in ({}, {"condition": "text"})
        for weight, fid, accuracy in (("3", 7.0, 0.9), ("", 5.0, 0.6), ("2", 4.0, 0.8), ("auto", 6.0, 0.7))
    ]
    (chart,) = drawn(*rows, cell("b", 3.0, class_accuracy=0.5))
    assert len(render_matplotlib.figure(chart).axes[0].containers) == 2
    assert len(render_plotly.figure(chart).data) >= 2
    assert chart.title == "FID (digits-cnn) against class accuracy"
    assert [series.name for series in chart.series] == [
        "a, unconditional, 10 steps, by guidance", "a, text, 10 steps, by guidance",
    ]  # fmt: skip
    for series in chart.series:
        assert series.points.x == [0.6, 0.8, 0.9, 0.7]
        assert series.points.y == pytest.approx([5.0, 4.0, 7.0, 6.0], abs=0.1)
        assert [hover[0] for hover in series.points.hover] == ["unguided", "guidance 2", "guidance 3", "auto"]


def test_without_an_accuracy_or_several_guidances_there_is_no_chart(drawn, cell):
    assert drawn(cell("a", 5.0, class_accuracy=0.5), cell("b", 5.0, guidance="2", class_accuracy=0.5)) == []


def test_without_an_accuracy_there_is_none(drawn, cell):
    assert drawn(cell("a", 5.0), cell("a", 6.0, guidance="2")) == []
