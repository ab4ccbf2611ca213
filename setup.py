"""What pyproject.toml cannot say: four folders are one package, with all the sub-packages that are found in them."""

import runpy
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

FOLDERS = {
    "samplerbench": "bench",
    "samplerbench.methods": "methods",
    "samplerbench.models": "models",
    "samplerbench.testing": "tests/contract",
}


def commit() -> str:
    """The commit that is built, with a + if there are changes; empty outside a clone."""
    here = Path(__file__).resolve()
    return runpy.run_path(str(here.parent / "bench" / "store" / "repository.py"))["commit_of"](here)


class Build(build_py):
    """Leaves out our own tests of the contract; adds the commit, and the marker of a package with types (PEP 561)."""

    def find_package_modules(self, package, package_dir):
        modules = super().find_package_modules(package, package_dir)
        return [module for module in modules if not module[1].startswith("test_")]

    def run(self):
        super().run()
        if not self.editable_mode:
            package = Path(self.build_lib, "samplerbench")
            (package / "py.typed").touch()
            (package / "COMMIT").write_text(commit(), encoding="utf-8")  # an installed copy has no git to ask


setup(
    cmdclass={"build_py": Build},
    package_dir=FOLDERS,
    packages=[
        name
        for package, folder in FOLDERS.items()
        for name in (package, *(f"{package}.{found}" for found in find_packages(folder)))
    ],
)
