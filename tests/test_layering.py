"""Imports run one way, files and functions stay small, and the command line starts without torch."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import samplerbench
from samplerbench import methods, models, testing

FOLDERS = {
    "samplerbench": samplerbench,
    "samplerbench.methods": methods,
    "samplerbench.models": models,
    "samplerbench.testing": testing,
}
FOLDERS = {package: Path(module.__file__).parent for package, module in FOLDERS.items()}
GROUND = {"errors", "statistics"}
# What each package may import besides itself: DESIGN.md, section 2. `x.y` is that module alone.
ALLOWED = {
    "errors": set(),
    "statistics": set(),
    "models": set(),
    "methods": set(),
    "store": {"errors"},
    "data": {"errors", "methods"},
    "networks": {"data", "errors", "methods", "models"},
    "sampling": {"networks", "data", "statistics", "methods"},
    "metrics": {"sampling", "networks", "data", "statistics", "errors", "methods", "models"},
    "training": {"sampling.noise", "networks", "data", "store.provenance", "errors", "methods", "models"},
    "sweep": {"metrics", "sampling", "networks", "data", "store", "statistics", "errors", "methods", "models"},
    "report": {"store", "metrics", "sweep.command", "statistics", "errors"},
    "regression": {"sweep", "metrics", "sampling", "networks", "data", "store", "statistics", "errors", "methods"},
    "testing": {"methods", "models", "data", "metrics", "sampling", "networks", "store", "errors"},
    "cli": {"report", "regression", "training", "sweep", "metrics", "sampling", "networks", "data", "store", "models",
            "methods", "testing", *GROUND},
    # The package itself: `samplerbench.run`, and `python -m samplerbench`.
    "": {"cli", "report", "sweep", "store", "methods", "errors"},
}  # fmt: skip
# The same among the families of methods.
FAMILIES = {
    "core": set(),
    "runge_kutta": {"core"},
    "exponential": {"core"},
    "multistep": {"core"},
    "stochastic": {"core"},
    "students": {"core", "runge_kutta"},
    "recipes": {"core"},
    "": {"core"},  # the public names
}


class Tree:
    """The modules of packages, each in a folder of its own, and what they import of each other, read from their syntax.

    imports: module -> modules, also those imported inside functions. typing: those under TYPE_CHECKING.
    """

    def __init__(self, folders: Mapping[str, Path]):
        self.files = {name: file for package, folder in folders.items() for name, file in _modules(package, folder)}
        self.imports = {name: self._imported(name, typing=False) for name in self.files}
        self.typing = {name: self._imported(name, typing=True) for name in self.files}

    def violations(self, allowed: Mapping[str, set[str]], package: str = "samplerbench") -> list[str]:
        """Imports between the sub-packages of a package that its table does not allow, as "importer -> imported"."""
        found = []
        for name, imported in self.imports.items():
            for other in imported | self.typing[name]:
                ours, theirs = (_below(package, module) for module in (name, other))
                if ours is None or theirs is None or ours.partition(".")[0] == theirs.partition(".")[0]:
                    continue
                parents = {".".join(theirs.split(".")[: n + 1]) for n in range(theirs.count(".") + 1)}
                if not parents & allowed[ours.partition(".")[0]]:
                    found.append(f"{name} -> {other}")
        return sorted(found)

    def circle(self) -> list[str]:
        """The modules of a circle of imports, if there is one."""
        try:
            TopologicalSorter(self.imports).prepare()
        except CycleError as error:
            return error.args[1]
        return []

    def _imported(self, name: str, typing: bool) -> set[str]:
        tree = ast.parse(self.files[name].read_text(encoding="utf-8"))
        typed = {id(node) for block in ast.walk(tree) if _is_typing(block) for node in ast.walk(block)}
        nodes = [node for node in ast.walk(tree) if (id(node) in typed) == typing]
        return {self._module(target) for node in nodes for target in _targets(node, name)} - {"", name}

    def _module(self, target: str) -> str:
        """The module that an import of `package.module.name` runs; empty if it is not ours."""
        parent = target.rpartition(".")[0]
        return target if target in self.files else parent if parent in self.files else ""


def _modules(package: str, folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*.py")):
        parts = file.relative_to(folder).with_suffix("").parts
        yield ".".join((package, *(part for part in parts if part != "__init__"))), file


def _is_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _targets(node: ast.AST, importer: str) -> list[str]:
    """What an import statement names, in full."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{importer} imports from `{'.' * node.level}{node.module or ''}`: write the full name"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def _below(package: str, module: str) -> str | None:
    """The name of a module inside a package; empty for the package itself, None outside."""
    if module in (package, f"{package}.__main__"):
        return ""
    return module.removeprefix(f"{package}.") if module.startswith(f"{package}.") else None


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree(FOLDERS)


def test_the_table_names_every_package(tree):
    for package, table in (("samplerbench", ALLOWED), ("samplerbench.methods", FAMILIES)):
        inside = [_below(package, name) for name in tree.files]
        assert {name.partition(".")[0] for name in inside if name is not None} == set(table)


def test_imports_run_one_way(tree):
    assert tree.violations(ALLOWED) == []


def test_families_of_methods_import_the_core_alone(tree):
    assert tree.violations(FAMILIES, "samplerbench.methods") == []


def test_there_is_no_circle(tree):
    assert tree.circle() == []


def made_up(folder: Path, files: Mapping[str, str]) -> Tree:
    """A tree of these files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return Tree({"p": folder})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from p.low.ground import x", []),
        ("from p.high.top import x", ["p.middle.deep.down -> p.high.top"]),
        ("import p.high.top", ["p.middle.deep.down -> p.high.top"]),
        ("from p.high import top", ["p.middle.deep.down -> p.high.top"]),
        ("def f():\n    from p.high.top import x", ["p.middle.deep.down -> p.high.top"]),
        ("if TYPE_CHECKING:\n    from p.high.top import x", ["p.middle.deep.down -> p.high.top"]),
        ("from p.low.other import x", ["p.middle.deep.down -> p.low.other"]),
    ],
)
def test_a_violation_in_a_nested_folder_is_found(tmp_path, text, found):
    files = {"low/ground.py": "x = 1", "low/other.py": "x = 1", "high/top.py": "x = 1", "high/__init__.py": ""}
    tree = made_up(tmp_path, files | {"middle/deep/down.py": text})
    assert tree.violations({"low": set(), "middle": {"low.ground"}, "high": {"middle"}}, "p") == found


@pytest.mark.parametrize(
    ("text", "circular"),
    [
        ("from p.b import y", True), ("def f():\n    import p.b", True),
        ("if typing.TYPE_CHECKING:\n    from p.b import y", False), ("y = 1", False),
    ],
)  # fmt: skip
def test_a_circle_is_found_also_through_a_lazy_import(tmp_path, text, circular):
    tree = made_up(tmp_path, {"a.py": text, "b.py": "from p.c import y", "c.py": "from p.a import y"})
    assert bool(tree.circle()) == circular


def test_a_relative_import_is_refused(tmp_path):
    with pytest.raises(AssertionError, match=r"p\.a imports from `\.b`: write the full name"):
        made_up(tmp_path, {"a.py": "from .b import y", "b.py": "y = 1"})


def shipped_files() -> list[Path]:
    """Our code, without the tests that lie beside `samplerbench.testing`."""
    files = [file for folder in FOLDERS.values() for file in folder.rglob("*.py")]
    return sorted(file for file in files if not file.name.startswith("test_"))


def test_files_and_functions_are_small():
    assert len(shipped_files()) > 100
    for file in shipped_files():
        text = file.read_text(encoding="utf-8")
        assert text.count("\n") <= 300, f"{file} has more than 300 lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                lines = node.end_lineno - node.lineno + 1
                assert lines <= 45, f"{file}: {node.name} has {lines} lines, of at most 45"


def test_the_top_of_the_package_can_be_read_at_a_glance():
    elsewhere = {"methods", "models", "testing", "__pycache__", "py.typed"}  # in a wheel they lie inside
    entries = {entry.name for entry in FOLDERS["samplerbench"].iterdir()} - elsewhere
    assert len(entries) <= 14, sorted(entries)


def modules_after(command: str) -> set[str]:
    """The modules that a Python command leaves loaded."""
    script = f"import sys\ntry:\n    {command}\nexcept SystemExit:\n    pass\nprint('\\n' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "command",
    [
        "import samplerbench", "import samplerbench.cli.main", "import samplerbench.report.write",
        "import samplerbench.regression.compare", "import samplerbench.regression.history",
        *(f"from samplerbench.cli.main import main; main({arguments})" for arguments in (
            ["--help"], ["--version"], ["run", "--help"], ["report", "--help"], ["compare", "--help"],
            ["history", "--help"], ["status", "--help"],
        )),
    ],
)  # fmt: skip
def test_it_starts_without_torch(command):
    loaded = modules_after(command)
    assert "samplerbench" in loaded
    assert "torch" not in loaded
