"""`python -m samplerbench` is `bench`."""

from samplerbench.cli.main import main

main(prog_name="bench")
