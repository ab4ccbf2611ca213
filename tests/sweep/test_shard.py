from pathlib import Path

import pytest

from samplerbench.errors import InputError
from samplerbench.sweep.normalise import default_output, normalise
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.shard import Shard, absent, placed


@pytest.mark.parametrize("text", ["4/3", "0/3", "x", "1/0", "", "1/2/3", "-1/3", "1.5/3", "1/1000000", "²/3", 3, None])
def test_anything_but_a_part_of_a_whole_is_refused(text):
    with pytest.raises(InputError, match=r"--shard takes I/N, as in 3/16, .* not "):
        Shard.parse(text)


def test_a_shard_prints_as_it_is_parsed_and_is_found_again_in_the_name_of_its_folder():
    shard = Shard.parse(" 03/16")
    assert str(shard) == "3/16"
    assert placed(Path("out"), "3/16") == Path("out/shard-3-of-16")
    assert placed(Path("out"), None) == Path("out")
    assert Shard.of_folder(shard.folder) == shard
    assert [*map(Shard.of_folder, ("run", "shard-4-of-3", "shard-0-of-3", "my-shard-1-of-3"))] == [None] * 4


def test_the_shards_of_a_sweep_are_below_its_own_folder():
    whole, part = (normalise(Sweep("ddim", shard=shard)) for shard in (None, "01/03"))
    assert part.shard == "1/3"
    assert default_output(part) == default_output(whole)
    assert default_output(normalise(Sweep("ddim", seeds=1))) != default_output(whole)


def test_missing_shards_are_named():
    assert [*absent(Path("out", f"shard-{index}-of-5") for index in (2, 5))] == [
        "Not among these runs of out: shards 1,3-4 of 5."
    ]
    assert [*absent([Path("a/shard-1-of-2"), Path("b/shard-2-of-2")])] == [
        "Not among these runs of a: shard 2 of 2.", "Not among these runs of b: shard 1 of 2.",
    ]  # fmt: skip
    assert [*absent([Path("run"), Path("out/shard-1-of-1")])] == []
