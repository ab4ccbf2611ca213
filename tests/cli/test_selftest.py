"""The options and the exit code of `bench selftest --crash`; the campaign itself is replaced."""

import pytest
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.regression.crash import campaign
from samplerbench.regression.crash.outcome import Outcome, Verdict


@pytest.mark.parametrize(("same", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_says_whether_anything_differs(same, code, monkeypatch, tmp_path):
    asked = []

    def replaced(*arguments):
        asked.append(arguments)
        yield Outcome("kill", planned=1)
        yield Outcome("kill", planned=1).after(Verdict(same))

    monkeypatch.setattr(campaign, "campaign", replaced)
    words = ["selftest", "--crash", "--kills", "7", "--training-kills", "0", "--workers", "2", "--device", "cpu"]
    found = CliRunner().invoke(main, [*words, "--output", str(tmp_path)])
    assert (found.exit_code, asked) == (code, [(7, 0, 2, "cpu")])
    assert f"| kill | 1 | {int(same)} of 1 | 0 | 0 | 0 |" in (tmp_path / "crash.md").read_text()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--kills", "3"], "--kills has no effect without --crash"),
        (["--training-kills", "3"], "--training-kills has no effect without --crash"),
        (["--crash", "--trials", "3"], "--trials has no effect with --crash"),
    ],
)
def test_an_option_without_effect_is_refused(words, reason):
    found = CliRunner().invoke(main, ["selftest", *words])
    assert found.exit_code == 2
    assert reason in found.output
