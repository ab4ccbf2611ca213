"""Where a checkout's packages are imported from: a folder of its own, into which its own packaging installs it."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# A table of pyproject.toml that makes a folder a package, rather than the settings of some tool.
PACKAGED = re.compile(r"^\s*\[(build-system|project|tool\.poetry)\]", re.MULTILINE)
# Without the network if the build tools are installed, else with an environment that pip makes for them.
ATTEMPTS = (["--no-build-isolation", "--check-build-dependencies"], ["--retries", "1"])
# Versions differ from commit to commit, and asking git for one fails in a copy; nothing measured depends on them.
SETTINGS = {"SETUPTOOLS_SCM_PRETEND_VERSION": "0", "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}


def imports(root: Path, prefix: str, source: Path, target: Path) -> tuple[Path, ...]:
    """The folders from which a checkout's packages are imported.

    root: of the checkout. prefix: of the user's current folder in it. source: a copy of it, in which pip may leave
    files. target: a new folder. Without packaging, or if pip fails, packages are imported from the root and from src/.
    """
    if _is_samplerbench(root):
        return (_linked(root, target),)
    project = _project(source, prefix)
    if project is None:
        return root, root / "src"
    reason = _install(project, target)
    if not reason:
        return (target,)
    print(f"pip cannot install {project.relative_to(source)} of {root} ({reason}): importing from its folders.",
          file=sys.stderr, flush=True)  # fmt: skip
    return root, root / "src"


def _project(source: Path, prefix: str) -> Path | None:
    """The folder with packaging that is nearest to the current folder, upwards."""
    here = source / prefix
    for folder in (here, *here.parents):
        settings = folder / "pyproject.toml"
        packaged = settings.is_file() and PACKAGED.search(settings.read_text(encoding="utf-8"))
        if packaged or (folder / "setup.py").is_file():
            return folder
        if folder == source:
            break
    return None


def _install(project: Path, target: Path) -> str:
    """Install a package without its dependencies, which the current environment has; returns the error, if any."""
    result = None
    environment = {**os.environ, **SETTINGS}
    for attempt in ATTEMPTS:
        command = _pip(*attempt, "--target", str(target), str(project))
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return ""
    lines = (result.stderr if result else "").strip().splitlines()
    errors = [line for line in lines if line.strip().lower().startswith("error: ")] or lines
    return re.sub(r"^error: ", "", errors[-1].strip(), flags=re.IGNORECASE) if errors else "no reason given"


def _pip(*arguments: str) -> Sequence[str]:
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    return [sys.executable, "-m", "pip", "install", *quiet, "--no-deps", *arguments]


def _is_samplerbench(root: Path) -> bool:
    """Whether the set-up of a repository makes its folder bench/ the package samplerbench."""
    files = [file for file in (root / "setup.py", root / "pyproject.toml") if file.is_file()]
    mapped = any(re.search(r"\bsamplerbench\W+bench\b", file.read_text(encoding="utf-8")) for file in files)
    return mapped and (root / "bench" / "__init__.py").is_file()


def _linked(root: Path, target: Path) -> Path:
    """A folder with links to the packages of samplerbench, which have other names in its repository."""
    package = target / "samplerbench"
    package.mkdir(parents=True)
    for source in (*(root / "bench").iterdir(), root / "methods", root / "models"):
        (package / source.name).symlink_to(source)
    (package / "testing").symlink_to(root / "tests" / "contract")
    return target
