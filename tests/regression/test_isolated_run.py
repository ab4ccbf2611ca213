"""`bench run` in a checkout: which packages it imports, which files it finds, and what is refused."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from samplerbench.errors import InputError
from samplerbench.regression.checkout import Checkout
from samplerbench.regression.isolated_run import run_in, split_options, unknown_methods

# A samplerbench that imports its models and a plug-in, and writes what it found.
STAND_IN = """
import json, os, sys
from pathlib import Path
from samplerbench import models
import plugin
output = Path(sys.argv[sys.argv.index("--output") + 1])
output.mkdir()
facts = {"models": models.__file__, "plugin": plugin.__file__, "argv": sys.argv[1:], "folder": os.getcwd()}
(output / "results.csv").write_text(json.dumps(facts))
"""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on PYTHONPATH, with a stand-in for the installed samplerbench."""
    site = tmp_path / "site"
    names = ("__init__", "models/__init__", "methods/__init__")
    write(site, {f"samplerbench/{name}.py": "" for name in names} | {"samplerbench/__main__.py": STAND_IN})
    monkeypatch.setenv("PYTHONPATH", str(site))
    return site


@pytest.fixture
def checkouts(tmp_path, monkeypatch):
    """Two checkouts without files; the second is the current folder."""
    found = []
    for name in ("main", "work"):
        root = tmp_path / name
        root.mkdir()
        found.append(Checkout(name, root, root, (root, root / "src")))
    monkeypatch.chdir(root)
    return found


@pytest.fixture
def run(checkouts, tmp_path, site):
    """Runs in the first checkout; returns what the stand-in found."""

    def start(*options: str) -> dict:
        output = tmp_path / "output"
        run_in(checkouts[0], options, output, checkouts[1])
        return json.loads((output / "results.csv").read_text())

    return start


@pytest.mark.parametrize("place", ["plugin.py", "src/plugin/__init__.py"])
def test_the_plug_in_is_imported_from_the_checkout(run, checkouts, place):
    for checkout in checkouts:
        write(checkout.root, {place: ""})
    assert Path(run()["plugin"]) == checkouts[0].root / place


def test_folders_of_the_user_do_not_shadow_ours(run, checkouts, site):
    """A repository with packages of its own called models, methods and bench, which fail on import."""
    shadows = {f"{name}/__init__.py": "raise SystemExit('shadowed')" for name in ("models", "methods", "bench")}
    write(checkouts[0].root, shadows | {"plugin.py": ""})
    assert Path(run()["models"]) == site / "samplerbench/models/__init__.py"


def test_the_current_folder_is_not_searched_for_packages(run, checkouts):
    """Nor for modules: a run works where its files are, beside whatever else the user keeps there."""
    inner = checkouts[0].root / "inner"
    write(
        inner, {"json.py": "raise SystemExit('shadowed')", "samplerbench/__init__.py": "raise SystemExit('shadowed')"}
    )
    write(checkouts[0].root, {"plugin.py": ""})
    checkouts[0] = replace(checkouts[0], folder=inner)
    assert run()["folder"] == str(inner)


def test_an_empty_entry_of_pythonpath_does_not_add_the_current_folder(run, checkouts, site, monkeypatch):
    write(checkouts[0].root, {"json.py": "raise SystemExit('shadowed')", "src/plugin.py": ""})
    checkouts[0] = replace(checkouts[0], imports=(checkouts[0].root / "src",))
    monkeypatch.setenv("PYTHONPATH", f":{site}:")
    assert Path(run()["plugin"]) == checkouts[0].root / "src/plugin.py"


def test_a_plug_in_of_the_other_checkout_is_refused(run, checkouts, site):
    """As an editable install of a repository with another layout has it: both runs would measure the working tree."""
    write(checkouts[1].root, {"lib/plugin.py": ""})
    write(checkouts[0].root, {"lib/plugin.py": ""})
    write(site, {"plugin.py": f"import sys; sys.path.insert(0, {str(checkouts[1].root / 'lib')!r})\n"
                              "del sys.modules['plugin']\nimport plugin\n"})  # fmt: skip
    with pytest.raises(InputError, match=r"on main imported .*work/lib/plugin.py, which belongs to work"):
        run()


def test_a_plug_in_from_neither_checkout_is_refused(run, checkouts, site):
    write(checkouts[0].root, {"lib/plugin.py": ""})
    write(site, {"plugin.py": ""})
    with pytest.raises(InputError, match="on main imported nothing from this repository"):
        run()


def installed(site: Path, origin: Path) -> None:
    """A plug-in in `site`, as pip installs it from a folder."""
    entry, url = "[samplerbench.methods]\nplugin = plugin\n", json.dumps({"url": origin.as_uri(), "dir_info": {}})
    metadata = {"METADATA": "Name: plugin\nVersion: 1\n", "entry_points.txt": entry, "direct_url.json": url}
    write(site, {"plugin.py": "", **{f"plugin-1.dist-info/{name}": text for name, text in metadata.items()}})


@pytest.mark.parametrize("side", [0, 1])
def test_an_installed_copy_of_a_package_of_the_repository_is_refused(run, checkouts, site, side):
    """Both runs would measure it, whatever the commits hold; also where weights come from the repository."""
    write(checkouts[0].root, {"packages/mine/plugin.py": "", "weights/flow": ""})
    installed(site, checkouts[side].root / "packages" / "mine")
    with pytest.raises(InputError, match=r"on main imported .*site/plugin.py, an installed copy of its package"):
        run("--weights", "weights")


def test_an_installed_plug_in_of_another_repository_is_no_matter(run, checkouts, site, tmp_path):
    write(checkouts[0].root, {"weights/flow": ""})
    installed(site, tmp_path / "elsewhere")
    assert Path(run("--weights", "weights")["plugin"]) == site / "plugin.py"


def test_a_package_that_was_installed_for_the_checkout_is_its_own(run, checkouts, tmp_path):
    write(tmp_path / "target", {"plugin.py": ""})
    checkouts[0] = replace(checkouts[0], imports=(tmp_path / "target",))
    assert Path(run()["plugin"]) == tmp_path / "target" / "plugin.py"


def test_methods_that_a_checkout_lacks_are_known_with_the_reason(checkouts, tmp_path, capfd):
    found = unknown_methods(checkouts[0], "ddim[eta=0.5],all,dimm", tmp_path / "methods.json")
    assert found == {"ddim[eta=0.5]": "", "all": "", "dimm": "No method is named 'dimm'. Did you mean 'ddim'?"}


def test_committed_weights_are_worth_comparing_without_any_package(run, checkouts, site):
    write(checkouts[0].root, {"weights/flow": ""})
    write(site, {"plugin.py": ""})
    assert run("--weights", "weights")["folder"] == str(checkouts[0].root)


def test_files_are_those_of_the_checkout_or_else_of_the_current_folder(run, checkouts):
    write(checkouts[0].root, {"plugin.py": "", "grids/tuned.json": ""})
    write(checkouts[1].root, {"grids/tuned.json": "", "grids/new.json": "", "weights/flow": "", "ddim": ""})
    options = ("--grid", "uniform,grids/tuned.json,grids/new.json", "--weights", "weights", "--methods", "ddim")
    new, weights = (str(checkouts[1].root / name) for name in ("grids/new.json", "weights"))
    assert run(*options)["argv"][1:-2] == [
        "--grid", f"uniform,grids/tuned.json,{new}", "--weights", weights, "--methods", "ddim",
    ]  # fmt: skip


def test_a_run_that_fails_is_refused_with_its_last_line(run, checkouts):
    write(checkouts[0].root, {"plugin.py": "raise SystemExit('first\\nNo method is named ddmi.')"})
    with pytest.raises(InputError, match=r"`bench run --steps 5` failed on main: No method is named ddmi\.$"):
        run("--steps", "5")


def test_a_run_with_a_failed_cell_counts(run, checkouts, site):
    write(checkouts[0].root, {"plugin.py": ""})
    main = site / "samplerbench/__main__.py"
    main.write_text(main.read_text() + "sys.exit(1)\n")
    assert run()["plugin"]


def test_the_interpreter_is_this_one(run, checkouts):
    write(checkouts[0].root, {"plugin.py": f"import sys; assert sys.executable == {sys.executable!r}"})
    assert run()["argv"][0] == "run"


def test_options_are_split_as_a_shell_does_and_at_equal_signs():
    text = "--methods 'ddim[eta=0.5],flow' --weights=own/weights --no-timing"
    assert split_options(text) == ["--methods", "ddim[eta=0.5],flow", "--weights", "own/weights", "--no-timing"]
    with pytest.raises(InputError, match="cannot be read as options"):
        split_options("--steps '5")
