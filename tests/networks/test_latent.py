"""Networks of latents: what they are decoded by, and where what belongs to them is looked for."""

import shutil
from dataclasses import replace

import pytest
import torch

from samplerbench.data.dataset import to_uint8
from samplerbench.errors import InputError
from samplerbench.methods import Sampler, get, get_guidance
from samplerbench.models import CheckpointError, NoisyClassifier, NoisyClassifierConfig, load, save
from samplerbench.models.kinds import facts_of
from samplerbench.networks.checkpoints import load_network
from samplerbench.networks.guides import load_classifier, with_guides
from samplerbench.networks.latent import latent_space, load_latent
from samplerbench.networks.model import get_model, load_model
from samplerbench.networks.teachers import with_teachers
from samplerbench.sampling.generate import generate
from samplerbench.sampling.measure import Measurement, measure
from samplerbench.sampling.noise import ImageNoise

CPU = torch.device("cpu")
AUTOENCODER = "few/autoencoder[kind=kl].safetensors"


@pytest.fixture
def folder(few, few_weights, tmp_path):
    """A copy of the checkpoints, to be changed."""
    return shutil.copytree(few_weights, tmp_path / "weights")


@pytest.fixture
def latent_flow(few, few_weights):
    return load_latent("flow", latent_space(few, "kl", str(few_weights), CPU), str(few_weights))


def test_images_are_the_decoded_states_divided_by_the_scale(latent_flow, few, few_weights):
    sampler, checkpoint = Sampler(get("flow"), 2), load(few_weights / AUTOENCODER)
    states = generate(sampler, latent_flow, ImageNoise(0, range(4))).images
    with torch.no_grad():
        expected = checkpoint.autoencoder().decode(states / float(checkpoint.facts.latent_scale))
    (batch,) = measure(sampler, latent_flow, Measurement(4), 4, (0,), timing=False)
    assert (batch.images.int() - to_uint8(expected).int()).abs().max() <= 1
    assert batch.images.float().std() > 0
    assert latent_flow.picture_shape == (1, 28, 28)


def test_a_network_is_known_by_its_weights_and_those_of_its_autoencoder(latent_flow, few_weights):
    digests = [load(few_weights / file).digest for file in ("few/kl/flow.safetensors", AUTOENCODER)]
    assert latent_flow.origin.digest == "+".join(digests)


def test_a_network_of_other_latents_is_refused(few, folder):
    checkpoint = load(folder / AUTOENCODER)
    other = {name: 1.01 * value for name, value in checkpoint.weights.items()}
    save(folder / AUTOENCODER, other, checkpoint.metadata)
    with pytest.raises(CheckpointError, match=r"was trained on the latents of kl \w+, not on the latents of kl"):
        load_latent("flow", latent_space(few, "kl", str(folder), CPU), str(folder))


def test_a_network_of_latents_is_none_of_images(few, folder):
    shutil.copy(folder / "few/kl/flow.safetensors", folder / "few/flow.safetensors")
    with pytest.raises(CheckpointError, match=r"was trained on the latents of kl \w+, not on images: restore"):
        load_network("flow", few, str(folder), CPU)


def test_a_missing_autoencoder_names_the_command_that_trains_it(few, few_weights):
    with pytest.raises(InputError, match=r"`bench train autoencoder\[kind=vq\] --dataset few` trains one"):
        latent_space(few, "vq", str(few_weights), CPU)
    with pytest.raises(InputError, match="no autoencoder of the kind 'vae': choose from kl, vq"):
        latent_space(few, "vae", str(few_weights), CPU)


@pytest.mark.parametrize("scale", ["", "0", "wide"])
def test_an_autoencoder_without_a_scale_is_refused(scale, few, folder):
    checkpoint = load(folder / AUTOENCODER)
    save(folder / AUTOENCODER, checkpoint.weights, checkpoint.metadata | {"latent_scale": scale})
    with pytest.raises(CheckpointError, match="does not record the scale of its latents: retrain it"):
        latent_space(few, "kl", str(folder), CPU)


@pytest.mark.parametrize(
    ("file", "advice"),
    [
        (
            "few/kl/flow.safetensors",
            r"needs an autoencoder: name it .* --model latent\[weights=DIR\]:flow",
        ),
        ("few/text.safetensors", "conditions are made of: name it by its recipe, as --recipe text --weights DIR"),
    ],
)
def test_a_file_alone_does_not_hold_what_its_network_needs(file, advice, few_weights):
    with pytest.raises(CheckpointError, match=advice):
        load_model(get_model(str(few_weights / file)), CPU, torch.float32)


def test_a_latent_model_brings_its_guide_and_its_teacher_from_the_folder_of_its_latents(few, folder):
    student = load(folder / "few/kl/flow.safetensors")
    facts = {"recipe": "ot_flow", "teacher": "flow", "origin": "flow"}
    save(folder / "few/kl/ot_flow.safetensors", student.weights, student.metadata | facts)
    spec = f"latent[dataset=few,weights={folder}]:ot_flow"
    network = load_model(get_model(spec), CPU, torch.float32)
    assert network.name == spec
    elsewhere = "nowhere"  # the folder of networks of images
    guidance = get_guidance("auto")
    beside = with_teachers({spec: network}, [guidance], few, elsewhere, needed=True)[spec]
    assert beside.teacher.origin.digest == load(folder / "few/kl/flow.safetensors").digest
    assert beside.teacher.guides["weak"].origin.digest == load(folder / "few/kl/flow-weak.safetensors").digest
    assert beside.teacher.picture_shape == (1, 28, 28)


def test_students_of_two_folders_have_teachers_of_their_own(few, few_weights, folder):
    student = load(folder / "few/kl/flow.safetensors")
    save(folder / "few/kl/flow.safetensors", {k: 1.01 * v for k, v in student.weights.items()}, student.metadata)
    networks = {}
    for name in (few_weights, folder):
        loaded = load_latent("flow", latent_space(few, "kl", str(name), CPU), str(name))
        cost = replace(loaded.origin.cost, teacher="flow")
        networks[str(name)] = replace(loaded, origin=replace(loaded.origin, cost=cost))
    found = with_teachers(networks, [], few, None, needed=True)
    digests = {name: each.teacher.origin.digest for name, each in found.items()}
    assert digests == {str(name): load(name / "few/kl/flow.safetensors").digest for name in (few_weights, folder)}


def test_a_classifier_of_other_latents_is_refused(few, folder, latent_flow):
    space = latent_space(few, "kl", str(folder), CPU)
    net = NoisyClassifier(NoisyClassifierConfig(space.resolution, space.channels, classes=space.classes))
    file = folder / "few/kl/noisy-classifier.safetensors"
    for latent in (space.latent, "kl 123456789abc"):
        save(file, net.state_dict(), replace(facts_of(net), latent=latent).metadata)
        if latent == space.latent:
            assert load_classifier(space, str(folder), CPU).net.config == net.config
    with pytest.raises(CheckpointError, match="`bench train noisy-classifier --dataset few --latent kl`"):
        load_classifier(space, str(folder), CPU)


def test_a_latent_network_is_guided_by_the_weaker_one_of_its_latents(latent_flow, few, few_weights):
    guided = with_guides(latent_flow, [get_guidance("auto")], few, "nowhere")
    assert guided.guides["weak"].origin.digest == load(few_weights / "few/kl/flow-weak.safetensors").digest
