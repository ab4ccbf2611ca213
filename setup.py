"""What pyproject.toml cannot say: four folders are one package, with all the sub-packages that are found in them."""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

FOLDERS = {
    "samplerbench": "bench",
    "samplerbench.methods": "methods",
    "samplerbench.models": "models",
    "samplerbench.testing": "tests/contract",
}


class Build(build_py):
    """Leaves out our own tests of the contract, and adds the marker of a package with annotations (PEP 561)."""

    def find_package_modules(self, package, package_dir):
        modules = super().find_package_modules(package, package_dir)
        return [module for module in modules if not module[1].startswith("test_")]

    def run(self):
        super().run()
        if not self.editable_mode:
            Path(self.build_lib, "samplerbench", "py.typed").touch()


setup(
    cmdclass={"build_py": Build},
    package_dir=FOLDERS,
    packages=[
        name
        for package, folder in FOLDERS.items()
        for name in (package, *(f"{package}.{found}" for found in find_packages(folder)))
    ],
)
