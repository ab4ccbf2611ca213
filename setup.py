"""What pyproject.toml cannot say: the folders at the top are one package, and all that lies in them is part of it."""

from setuptools import find_packages, setup

FOLDERS = {"samplerbench": "bench", "samplerbench.methods": "methods", "samplerbench.models": "models"}

setup(
    package_dir=FOLDERS,
    packages=[
        name
        for package, folder in FOLDERS.items()
        for name in (package, *(f"{package}.{found}" for found in find_packages(folder)))
    ],
)
