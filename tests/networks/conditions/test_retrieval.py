"""Networks see features of images in the database, and of no others."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from samplerbench.data.captions import described
from samplerbench.data.dataset import DATASETS, Images
from samplerbench.errors import InputError
from samplerbench.methods import Sampler, get
from samplerbench.networks.checkpoints import load_network
from samplerbench.networks.conditioned import with_condition
from samplerbench.networks.conditions.base import CONDITIONS, Source
from samplerbench.networks.retrieval.features import Encoder, encoder_of
from samplerbench.sampling.generate import generate
from samplerbench.sampling.noise import ImageNoise
from samplerbench.training.options import TrainOptions
from samplerbench.training.plan import plan_chain


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMPLERBENCH_CACHE", str(folder))
        yield folder


def first(name: str, count: int) -> Source:
    """The first training and held-out images of a data set."""
    dataset = DATASETS.get(name)
    images = dataset.load()
    return Source(
        dataset,
        Images(images.train[:count], images.train_labels[:count], images.test[:50], images.test_labels[:50]),
    )


@pytest.fixture(scope="module")
def small():
    return first("digits", 200)


@pytest.fixture(scope="module")
def written():
    return first("mnist5k", 300)


def features(source: Source, images: torch.Tensor) -> torch.Tensor:
    """Computed anew, each of length sqrt(D)."""
    found = encoder_of(source.space).net(images.float() / 127.5 - 1).double().detach()
    return found.shape[1] ** 0.5 * F.normalize(found)


def sources_of(rows: torch.Tensor, source: Source) -> torch.Tensor:
    """The numbers (N, k) of the training images whose features the rows (N, k, D) are."""
    ours = features(source, source.images.train)
    nearest = torch.cdist(rows.double().flatten(0, 1), ours).min(1)
    assert nearest.values.max() < 1e-3
    return nearest.indices.view(rows.shape[:2])


def test_training_images_are_given_their_nearest_others(small):
    rows = CONDITIONS.get("retrieval[k=3]").training(small).rows
    distances = torch.cdist(features(small, small.images.train), features(small, small.images.train))
    expected = distances.fill_diagonal_(torch.inf).argsort(1)[:, :3]
    assert torch.equal(sources_of(rows[:-1], small), expected)
    assert not rows[-1].any()
    assert torch.allclose(rows[:-1].square().mean(2), torch.ones(200, 3), atol=1e-5)


def test_a_copy_of_an_image_is_no_neighbour_of_it(small):
    images = small.images
    doubled = replace(images, train=images.train.repeat(2, 1, 1, 1), train_labels=images.train_labels.repeat(2))
    rows = CONDITIONS.get("retrieval").training(Source(small.space, doubled)).rows[:-1]
    assert torch.equal(rows, CONDITIONS.get("retrieval").training(small).rows[:-1].repeat(2, 1, 1))


def test_images_of_the_database_are_queried_by_default_as_in_training(small):
    condition = CONDITIONS.get("retrieval")
    trained, sampled = condition.training(small), condition.sampling(small)
    assert torch.equal(trained.rows, sampled.rows)
    assert torch.equal(sampled.classes, small.images.train_labels)


@pytest.mark.parametrize(
    ("options", "inside"),
    [
        ("database=0-4", lambda each: each.digit <= 4),
        ("database=7,query=image", lambda each: each.digit == 7),
        ("database=5-9,query=label", lambda each: each.digit >= 5),
        ("database=thick", lambda each: each.stroke == "thick"),
        ("database=left,k=2,query=text,prompt=a thin digit", lambda each: each[1:3] == ("left", "thin")),
        ("k=1,query=text,prompt=a large seven", lambda each: (each.digit, each.size) == (7, "large")),
    ],
)  # fmt: skip
def test_all_that_is_retrieved_belongs_to_the_database_and_shows_what_was_asked(written, options, inside):
    table = CONDITIONS.get(f"retrieval[{options}]").sampling(written)
    shown = described(written.images.train, written.images.train_labels)
    numbers = sources_of(table.rows[:-1], written)
    assert all(inside(shown[number]) for number in numbers.unique().tolist())
    assert all(len(set(row)) == len(row) for row in numbers.tolist())


def test_held_out_images_ask_for_their_own_class_and_get_their_neighbours(small):
    table = CONDITIONS.get("retrieval[query=image,k=1]").sampling(small)
    distances = torch.cdist(features(small, small.images.test), features(small, small.images.train))
    assert torch.equal(sources_of(table.rows[:-1], small), distances.argmin(1)[:, None])
    assert torch.equal(table.classes, small.images.test_labels)


def test_each_row_of_a_label_is_a_draw_of_its_own_from_that_class(small):
    table = CONDITIONS.get("retrieval[query=label,k=2]").sampling(small)
    numbers = sources_of(table.rows[:-1], small)
    assert torch.equal(small.images.train_labels[numbers], table.classes[:, None].expand(-1, 2))
    assert table.classes.bincount().tolist() == [100] * 10
    assert min(len(numbers[table.classes == label].unique(dim=0)) for label in range(10)) > 50


def test_prompts_in_a_file_keep_their_rows(written, tmp_path):
    (tmp_path / "prompts.txt").write_text("a one\nthick strokes\n")
    table = CONDITIONS.get(f"retrieval[query=text,prompts={tmp_path / 'prompts.txt'}]").sampling(written)
    assert table.prompts == ("a one",) * 500 + ("thick strokes",) * 500
    assert table.classes.tolist() == [1] * 500 + [-1] * 500


def png(folder, images):
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number}.png")
    return folder


def test_a_folder_is_a_database(small, tmp_path):
    images = small.images.train[:10]
    folder = png(tmp_path / "own", images[:, 0].numpy())
    table = CONDITIONS.get(f"retrieval[query=image,database=folder:{folder}]").sampling(small)
    assert sources_of(table.rows[:-1], small).max() < 10
    assert (CONDITIONS.get(f"retrieval[database=folder:{folder}]").sampling(small).classes == -1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("database=thik", "There is no database 'thik': .* Did you mean 'thick'?"),
        ("database=5-12", "There is no database '5-12': classes are a range such as 0-9."),
        ("database=large", "The database 'large' is empty"),
        ("database=mnist5k", "'mnist5k' has images of 1x28x28 in torch.uint8, and the network was trained on 1x8x8"),
        ("database=mixture", "has images of 1x4x4 in torch.float64"),
        ("database=3,k=64", "The database '3' has 14 images, and 64 others of each are retrieved"),
        ("query=label,k=64", "has .. images of class 0, and 64 of each are retrieved"),
        ("query=text,prompt=a large seven", "has 0 images that show 'a large seven', and 4 for each prompt"),
        ("query=text", "needs either prompt=TEXT or prompts=FILE"),
        ("prompt=a seven", "prompts need query=text"),
        ("query=text,prompt=a svn", "unknown word 'svn'"),
    ],
)
def test_what_cannot_be_retrieved_is_said_in_one_sentence(small, options, message):
    with pytest.raises(InputError, match=message) as caught:
        CONDITIONS.get(f"retrieval[{options}]").sampling(small)
    assert "\n" not in str(caught.value)


def test_a_folder_of_another_shape_is_refused(small, tmp_path):
    folder = png(tmp_path / "wide", np.zeros((5, 9, 9), np.uint8))
    with pytest.raises(InputError, match=re.escape("has images of 1x9x9")):
        CONDITIONS.get(f"retrieval[database=folder:{folder}]").sampling(small)


def counting(calls: list[int]) -> Encoder:
    def net(images):
        calls.append(len(images))
        return images.flatten(1)

    return Encoder("counting", "none", 64, net)


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY half", b"text"])
def test_features_are_kept_and_a_damaged_file_is_computed_again(small, tmp_path, monkeypatch, damage):
    monkeypatch.setenv("SAMPLERBENCH_CACHE", str(tmp_path))
    calls: list[int] = []
    made = [counting(calls).encode(small.images.train) for _ in range(2)]
    assert calls == [200]
    for file in tmp_path.glob("*.npy"):
        file.write_bytes(damage)
    made.append(counting(calls).encode(small.images.train))
    assert calls == [200, 200]
    assert torch.equal(made[0], made[1])
    assert torch.equal(made[0], made[2])


def test_samples_follow_a_database_that_is_exchanged_after_training(tmp_path):
    """Trained on dark and bright images at once, one network generates either."""
    levels = torch.randint(0, 60, (64, 4, 4, 1), generator=torch.Generator().manual_seed(0)).byte().numpy()
    levels[::2] = 255 - levels[::2]
    np.savez(tmp_path / "tones.npz", arr_0=levels, arr_1=np.arange(64) % 2)
    data = f"npz:{tmp_path / 'tones.npz'}"
    options = TrainOptions(
        dataset=data,
        iterations=60,
        batch_size=16,
        learning_rate=3e-3,
        ema_decay=0.8,
        output=str(tmp_path),
        device="cpu",
    )
    for _ in plan_chain("retrieval", options)[0].run():
        pass
    network = load_network("retrieval", DATASETS.get(data), str(tmp_path), torch.device("cpu"))

    def brightness(database: str) -> torch.Tensor:  # on the same noise
        given = with_condition(network, CONDITIONS.get(f"retrieval[k=2,database={database}]"))
        return generate(Sampler(get("flow"), 4), given, ImageNoise(0, range(16))).images.mean((1, 2, 3))

    bright, dark = brightness("0"), brightness("1")
    assert (bright - dark).min() > 0
    assert bright.mean() > 0 > dark.mean()
