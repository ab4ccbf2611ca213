import subprocess
import sys
from dataclasses import fields

import pytest

from samplerbench.training.loop import Settings
from samplerbench.training.options import PAIRS, TrainOptions


@pytest.mark.parametrize("option", fields(TrainOptions), ids=lambda option: option.name)
def test_every_option_has_a_help_text_and_a_default_within_its_range(option):
    metadata = option.metadata
    assert metadata["help"].endswith(".") or option.name == "device"
    if option.default is None:
        assert metadata["metavar"]
        assert metadata["shown"]
    else:
        assert metadata.get("min", option.default) <= option.default <= metadata.get("max", option.default)


def test_the_settings_of_the_loop_have_the_same_defaults():
    options, settings = TrainOptions(), Settings()
    shared = {field.name for field in fields(Settings)} - {"label_drop"}
    assert {name: getattr(options, name) for name in shared} == {name: getattr(settings, name) for name in shared}


def test_the_default_number_of_pairs_is_shown(plan):
    shown = TrainOptions.__dataclass_fields__["pairs"].metadata["shown"]
    assert plan("reflow")[0].pairs == PAIRS == int(shown)


def test_options_need_no_torch():
    script = "import sys; import samplerbench.training.options; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
