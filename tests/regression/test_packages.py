"""Where the packages of a checkout are imported from, in any layout."""

import subprocess
import sys
from pathlib import Path

import pytest

from samplerbench.regression.packages import imports


@pytest.fixture
def root(tmp_path):
    """Writes files into a folder, which is returned."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "root" / name).write_text(text)
        return tmp_path / "root"

    return write


def printed(folders: tuple[Path, ...], code: str) -> str:
    """What Python prints that imports from these folders."""
    start = f"import sys; sys.path[:0] = {[str(folder) for folder in folders]}\n"
    return subprocess.run(
        [sys.executable, "-c", start + code], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("layout", [".", "lib"])
def test_a_package_is_installed_as_its_own_packaging_says(root, packaging, tmp_path, layout):
    folder = root({f"{layout}/plugin/__init__.py": "", **packaging(layout)})
    found = imports(folder, "", folder, tmp_path / "target")
    assert found == (tmp_path / "target",)
    assert printed(found, "import plugin; print(plugin.__file__)") == str(tmp_path / "target/plugin/__init__.py")
    code = "from importlib.metadata import entry_points as e; print([p.name for p in e(group='samplerbench.methods')])"
    assert "plugin" in printed(found, code)


def test_of_several_packages_the_nearest_to_the_current_folder_is_installed(root, packaging, tmp_path):
    files = {f"packages/mine/{name}": text for name, text in packaging(".").items()}
    folder = root({**files, "packages/mine/plugin/__init__.py": "", "pyproject.toml": "[project]\nname = 'other'\n"})
    found = imports(folder, "packages/mine/plugin/", folder, tmp_path / "target")
    assert (found[0] / "plugin/__init__.py").exists()


@pytest.mark.parametrize("files", [{}, {"pyproject.toml": "[tool.ruff]\n"}], ids=["nothing", "settings"])
def test_without_packaging_packages_are_at_the_top_or_in_src(root, tmp_path, files):
    folder = root({"src/plugin/__init__.py": "", "bench/__init__.py": "", **files})
    assert imports(folder, "", folder, tmp_path / "target") == (folder, folder / "src")


def test_a_package_that_pip_cannot_build_is_imported_from_its_folders(root, packaging, tmp_path, capsys):
    folder = root({**packaging("."), "build_it.py": "raise ImportError('no compiler')"})
    assert imports(folder, "", folder, tmp_path / "target") == (folder, folder / "src")
    assert f"pip cannot install . of {folder}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "setup",
    [
        {"setup.py": 'FOLDERS = {"samplerbench": "bench", "samplerbench.methods": "methods"}'},
        {"pyproject.toml": '[tool.setuptools.package-dir]\nsamplerbench = "bench"\n'},
    ],
    ids=lambda files: next(iter(files)),
)
def test_samplerbench_itself_is_imported_from_each_checkout_under_its_own_name(root, tmp_path, setup):
    names = ("bench", "bench/store", "methods", "models", "tests/contract")
    folder = root({**setup, **{f"{name}/__init__.py": "" for name in names}})
    found = imports(folder, "", folder, tmp_path / "target")
    code = "from samplerbench import methods, models, store, testing; print(methods.__file__)"
    assert Path(printed(found, code)).resolve() == folder / "methods/__init__.py"
