"""samplerbench: speed and quality of few-step generative samplers, with counted evaluations and honest floors."""

__version__ = "0.1.0"
__all__ = ["__version__", "run"]


def __getattr__(name: str):
    # `run` imports torch, which takes seconds: only when it is asked for.
    if name == "run":
        from samplerbench.sweep.session import run

        return run
    raise AttributeError(f"module 'samplerbench' has no attribute {name!r}")
