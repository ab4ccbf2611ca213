"""What the doctor reports: the machine, the table, and whether the gate is of use here."""

from samplerbench.regression.doctor_report import report
from samplerbench.regression.noise_level import NoiseLevel

QUIET = NoiseLevel("inner_ratio", (1.01, 1.03), spread=0.01, worst=0.02, detectable=0.03)
NOISY = NoiseLevel("overhead_ratio", (1.0, 1.2), spread=0.1, worst=0.2, detectable=0.5)
SECONDS = NoiseLevel("latency_s", (0.1, 0.2), spread=0.3, worst=0.7, detectable=0.9)


def test_the_machine_is_described():
    text = report([QUIET], "cpu")
    assert text.startswith("device       cpu")
    assert "seconds compare only where this is equal" in text


def test_the_table_has_a_line_for_each_field():
    lines = report([QUIET, SECONDS], "cpu").splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("A/A: "))
    assert lines[start] == "A/A: ddim at 10 steps on digits, 2 runs of the same code"
    assert [line.split() for line in lines[start + 3 : start + 5]] == [
        ["inner_ratio", "1.02", "1.0%", "2.0%", "3.0%"],
        ["latency_s", "0.15", "30.0%", "70.0%", "90.0%"],
    ]


def test_the_advice_is_about_the_default_rules():
    *_, noisy, quiet = report([NOISY, SECONDS, QUIET], "cpu").splitlines()
    assert noisy == (
        "The gate allows overhead_ratio to rise by 15%. On this machine it fires from about 65%, too late to be "
        "useful: close other programs."
    )
    assert quiet == "The gate allows inner_ratio to rise by 15%. On this machine it fires from about 18%."
