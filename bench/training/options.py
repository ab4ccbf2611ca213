"""The options of a training, declared once: the command line is generated from them. No torch."""

from dataclasses import dataclass, field

PAIRS = 50_000  # of noise and image, by default
SAVE_EVERY = 300.0  # seconds


@dataclass(frozen=True)
class TrainOptions:
    """The options of `bench train`. None means not given; an option that has no effect is an error.

    The metadata of a field is its help text, its `metavar`, its range from `min` to `max`, and `shown`, the default as
    the help shows it.
    """

    dataset: str = field(default="digits", metadata={"help": "What to train on.", "metavar": "NAME", "also": "--data"})
    latent: str | None = field(
        default=None,
        metadata={
            "help": "Train in the latents of the data set's autoencoder: kl or vq.",
            "metavar": "KIND",
            "shown": "on images",
        },
    )
    condition: str | None = field(
        default=None,
        metadata={
            "help": "What the network is told of each image, with other options than the recipe's, as in "
            "inpaint[mask=left].",
            "metavar": "SPEC",
            "shown": "the recipe's",
        },
    )
    iterations: int = field(default=5_000, metadata={"help": "Optimiser steps.", "min": 1})
    batch_size: int = field(default=128, metadata={"help": "Images per step.", "min": 1})
    learning_rate: float = field(default=1e-3, metadata={"help": "Peak learning rate.", "min": 0, "max": 1})
    ema_decay: float = field(default=0.999, metadata={"help": "Decay of the averaged weights.", "min": 0, "max": 1})
    seed: int = field(default=0, metadata={"help": "Seed of everything random.", "min": 0, "max": 255})
    output: str | None = field(
        default=None,
        metadata={"help": "Write DIR/DATASET/RECIPE.safetensors.", "metavar": "DIR", "shown": "checkpoints"},
    )
    half: bool = field(default=False, metadata={"help": "Store the weights as float16: half the size."})
    quarter: bool = field(default=False, metadata={"help": "Store them as 8-bit integers: a quarter of the size."})
    dtype: str = field(
        default="float32",
        metadata={"help": "Of the arithmetic: float32, or bfloat16 where autocast allows it. Weights stay float32."},
    )
    compile: bool = field(
        default=False, metadata={"help": "Run the networks through torch.compile, which takes a minute or more."}
    )
    pairs: int | None = field(
        default=None,
        metadata={
            "help": "Pairs of noise and image to generate, for a student trained on its teacher's images.",
            "metavar": "N",
            "min": 1,
            "shown": str(PAIRS),
        },
    )
    weak: bool = field(
        default=False,
        metadata={"help": "Train the smaller network for autoguidance, DIR/DATASET/RECIPE-weak.safetensors."},
    )
    save_every: float = field(
        default=SAVE_EVERY,
        metadata={"help": "Seconds of training between two saves of its state, from which it resumes.", "min": 0},
    )
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda, cuda:1, ..."})
    data_root: str | None = field(
        default=None, metadata={"help": "Where data sets are stored.", "metavar": "DIR", "shown": "data"}
    )
    download: bool = field(default=False, metadata={"help": "Allow downloading the data set."})
