"""Suites: their options, the lines of what is wrong in them, and the folders that they are measured into."""

import json
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest

from samplerbench.errors import InputError
from samplerbench.sweep.normalise import normalise
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.request import Request
from samplerbench.sweep.suite import read_suite, shipped_suites
from samplerbench.sweep.toml_lines import lines_of

TRICKY = '''\
description = """
steps = 1
[[run]]
""" # [[run]] methods = 3
"methods" = [ # steps = 2
  "ddim", '[[run]]',
  "a#b \\" = ",
]
seeds.x = 1

[[run]]  # nfe = 3
'steps' = "=[{" # batch-size = 2
batch-size   =   4

[ [ 1 ] ]

[[ "run" ]]
nfe = { a = [
  1 ] }
[run.grid]
steps = 2
[other]
samples = 1
'''.replace("[ [ 1 ] ]\n\n", "")


@pytest.fixture
def write(tmp_path, monkeypatch):
    """write(content): a suite file of this text or bytes in the current folder."""
    monkeypatch.chdir(tmp_path)

    def write(content: str | bytes) -> str:
        Path("s.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
        return "s.toml"

    return write


def requested(content, write, given=(), **options) -> Request:
    return Request(Sweep(**options), read_suite(write(content)), given)


def test_the_lines_of_keys_are_found_past_strings_comments_and_nested_values():
    found = lines_of(TRICKY, "run")
    assert found.top.keys == {"description": 1, "methods": 5, "seeds": 9, "other": 20}
    assert [(table.line, table.keys) for table in found.tables] == [
        (11, {"steps": 12, "batch-size": 13}),
        (15, {"nfe": 16, "grid": 18}),
    ]


def test_values_of_the_top_hold_for_every_sweep_unless_it_or_the_command_line_has_its_own(write):
    text = """
        description = "Two."
        seeds = "0-1"
        batch-size = 8
        output = "here"
        [[run]]
        name = "a"
        methods = ["ddim", "flow"]
        seeds = [3]
        [[run]]
        methods = "pf_ode"
        timing = false
    """
    request = requested(text, write, given={"batch_size"}, batch_size=4, samples=7)
    one, two = (normalise(part.sweep) for part in request.parts)
    assert (one.methods, one.seeds, one.batch_size, one.timing) == (("ddim", "flow"), (3,), 4, True)
    assert (two.methods, two.seeds, two.batch_size, two.timing) == (("pf_ode",), (0, 1), 4, False)
    assert (one.samples, one.output, two.output) == (1000, "here/a", "here/run-2"), "samples was not given"
    assert request.report == Path("here/report")


def test_a_suite_without_tables_is_a_run_whose_folder_is_the_same_for_the_same_options(write):
    folders = [requested(text, write).folder for text in ("steps = 3", "steps = [3] # as before", "steps = 4")]
    assert folders[0] == folders[1] != folders[2]
    assert folders[0].name.startswith("s-")
    request = requested("steps = 3\noutput = 'there'", write)
    assert (request.folder, request.report, len(request.parts)) == (Path("there"), None, 1)


@pytest.mark.parametrize("name", shipped_suites())
def test_shipped_suites_can_run(name):
    suite = read_suite(name)
    assert 30 < len(suite.description) <= 120
    for part in Request(Sweep(), suite).parts:
        normalise(part.sweep)


def test_the_shipped_suites_measure_what_their_names_say():
    parts = {name: [normalise(part.sweep) for part in Request(Sweep(), read_suite(name)).parts]
             for name in ("few-step", "paper")}  # fmt: skip
    solvers, students = parts["few-step"]
    assert (solvers.nfe, students.steps) == ((4, 6, 8, 10, 20), (1, 2, 4, 8))
    assert solvers.seeds == students.seeds == (0, 1, 2, 3, 4)
    (paper,) = parts["paper"]
    assert (paper.samples, paper.seeds) == (50_000, (0,))


def test_the_guard_is_what_the_committed_baseline_was_measured_with():
    (part,) = Request(Sweep(), read_suite("guard")).parts
    guard = normalise(part.sweep)
    rows = pd.read_csv(Path(__file__).parents[2] / "results" / "baseline" / "results.csv")
    assert sorted(guard.methods) == sorted(rows["method"])
    assert {guard.steps} == {(steps,) for steps in rows["steps"]}
    assert {",".join(map(str, guard.seeds))} == {*rows["seeds"]}
    assert {(guard.samples, guard.batch_size)} == {*zip(rows["samples"], rows["batch_size"], strict=True)}


BIG = "0x" + "f" * 9000
HOSTILE = {
    "binary": (b"\x7fELF\x00\x01\xff\xfe", 1, "not UTF-8 text"),
    "invalid UTF-8": (b'methods = "ddim"\nsteps = 2 # \xe9t\xe9', 2, "not UTF-8 text"),
    "UTF-16": ("methods = 'ddim'".encode("utf-16"), 1, "not UTF-8 text"),
    "null bytes": (b"\x00" * 50, 1, "no valid TOML in column 1"),
    "empty": ("", 1, "it holds no option"),
    "comments only": ("# methods = 'ddim'\n\n", 1, "it holds no option"),
    "description only": ("description = 'Mine.'", 1, "it holds no option"),
    "a line of 10 MB": (b'methods = "' + b"a" * 10_000_000 + b'"', 1, "more than 256 kB"),
    "a long name": (f"{'x' * 200_000} = 1", 1, "no option is named 'xxx"),
    "a long value": (f"methods = 'ddim'\ndtype = '{'x' * 200_000}'", 2, "No dtype is named 'xxx"),
    "deep nesting": ("steps = " + "[" * 100_000, 1, "nested too deeply"),
    "not TOML": ("methods: ddim", 1, "no valid TOML in column 8"),
    "no value": ("methods = 'ddim'\n\nsteps =", 3, "no valid TOML"),
    "an open string": ("steps = 2\nmethods = 'ddim", 2, "no valid TOML"),
    "duplicate key": ("steps = 2\nnfe = 3\nsteps = 4", 3, "no valid TOML"),
    "duplicate spelling": ("batch_size = 2\nbatch-size = 3", 2, "batch_size is given twice"),
    "unknown key": ("methods = 'ddim'\n# step\nstep = 3", 3, "no option is named 'step'. Did you mean 'steps'?"),
    "unknown key of a run": ("seeds = 0\n[[run]]\nseeds = 1\n[[run]]\nseedz = 2", 5, "Did you mean 'seeds'?"),
    "negation": ("no-timing = true", 1, "Did you mean 'timing'?"),
    "number for text": ("\n\nmethods = 3", 3, "methods takes text, or a list of these, not 3."),
    "text for a switch": ("steps = 2\ntiming = 'no'", 2, "timing takes true or false, not 'no'."),
    "switch for a number": ("batch_size = true", 1, "batch_size takes text or a whole number, not true."),
    "fraction": ("steps = [1, 2.5]", 1, "steps takes text or a whole number, or a list of these, not 2.5."),
    "date": ("steps = 2\nseeds = 1979-05-27T07:32:00Z", 2, "not 1979-05-27 07:32:00+00:00."),
    "nested list": ("steps = [[1], 2]", 1, "not a list."),
    "table": ("[methods]\nddim = 1", 1, "methods takes text, or a list of these, not a table."),
    "table in a run": ("[[run]]\nsteps = 1\n[run.methods]\na.b = 1", 3, "not a table."),
    "run as a table": ("steps = 1\n[run]\nsteps = 2", 2, "run is an array of tables: write [[run]]"),
    "run as a number": ("steps = 1\nrun = 5", 2, "run is an array of tables"),
    "no runs": ("run = []", 1, "run is an array of tables"),
    "both kinds of run": ("[[run]]\nsteps = 1\n[run]\nsteps = 2", 3, "no valid TOML"),
    "inline runs": ("seeds = 0\nrun = [{steps = 1}, {stepz = 1}]", 2, "Did you mean 'steps'?"),
    "two of a name": ("[[run]]\nname = 'a'\n[[run]]\nname = 'a'", 3, "two sweeps have the name 'a'"),
    "a name outside": ("[[run]]\n\nname = '../a'", 3, "takes the name of a folder"),
    "the report's name": ("[[run]]\nname = 'report'", 2, "takes the name of a folder"),
    "output of a run": ("[[run]]\nsteps = 1\noutput = 'x'", 3, "move it above the first [[run]]"),
    "a description of numbers": ("description = [1]", 1, "description takes text, not a list."),
    "huge number": (f"seeds = 1\nsamples = {BIG}", 2, "not a number of more than 64 bits."),
    "unknown method": ("steps = 2\n[[run]]\nmethods = ['ddim', 'flwo']", 3, "Did you mean 'flow'?"),
    "unknown option": ("steps = 2\n\nmethods = 'ddim[etta=1]'", 3, "etta"),
    "unknown data set": ("steps = 2\ndataset = 'digit'\nmethods = 'ddim'", 2, "Did you mean 'digits'?"),
    "unknown grid file": ("steps = 2\ngrid = ['a/b.json']", 2, "a/b.json"),
    "negative seeds": ("methods = 'ddim'\nseeds = [-1]", 2, "--seeds takes whole numbers"),
    "too many seeds": ("methods = 'ddim'\nseeds = '0-99999999999999'", 2, "--seeds must be below 4096"),
    "no steps": ("methods = 'ddim'\nsteps = []", 2, "--steps is empty"),
    "not a number": ("methods = 'flow'\nguidance = nan", 2, "weight"),
    "conflict": ("methods = 'ddim'\nsteps = 2\n[[run]]\nseeds = 1\n[[run]]\nnfe = 3", 2, "--steps and --nfe are two"),
    "idle option": ("quality = false\ntiming = false\nmethods = 'ddim'", 1, "nothing to measure"),
    "too few samples": ("methods = 'ddim'\n\nsamples = 1", 3, "--samples must lie between 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_wrong_is_one_sentence_with_the_file_and_the_line(name, write):
    content, line, message = HOSTILE[name]
    with pytest.raises(InputError) as caught:
        for _ in requested(content, write).sessions():
            pass
    text = str(caught.value)
    assert text.startswith(f"s.toml:{line}: ")
    assert message in text
    assert len(text) < 600
    assert "\n" not in text
    assert [path.name for path in Path.cwd().iterdir()] == ["s.toml"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("few_step", "No suite is named 'few_step'. Did you mean 'few-step'?"),
        ("ddim", "methods are named by --methods"),
        ("nowhere.toml", "The suite 'nowhere.toml' cannot be read (No such file or directory)."),
        ("folder.toml", "'folder.toml' is not a file"),
        ("a\x00b.toml", "cannot be read (embedded null byte)"),
        (f"{'x' * 300}.toml", "cannot be read (File name too long)"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(given, message, write, tmp_path):
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(InputError) as caught:
        read_suite(given)
    assert message in str(caught.value)


def test_an_error_of_the_command_line_does_not_blame_the_suite(write):
    with pytest.raises(InputError, match=r"^--samples must lie"):
        requested("samples = 100\nmethods = 'ddim'", write, given={"samples"}, samples=1)
    with pytest.raises(ValueError, match=r"^No method is named 'flwo'"):
        next(requested("steps = 2\nmethods = 'ddim'", write, given={"methods"}, methods="flwo").sessions())


def test_windows_line_ends_and_marks_do_not_move_the_lines(write):
    with pytest.raises(InputError, match=r"^s\.toml:3: no option is named 'step'"):
        requested(b"\xef\xbb\xbfmethods = 'ddim'\r\nsteps = 2\r\nstep = 3\r\n", write)


def test_every_option_of_a_sweep_can_be_written(write):
    """With its default, if TOML has a value for it."""
    values = {field.name: field.default for field in fields(Sweep) if field.default is not None}
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    (sweep,) = read_suite(write("\n".join(lines))).sweeps
    assert normalise(Sweep(**sweep.options)) == normalise(Sweep())
