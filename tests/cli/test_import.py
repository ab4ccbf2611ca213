"""`bench import`."""

import pytest
import torch

from samplerbench.models.research.adm_unet import ADMConfig, ADMUNet

OPTIONS = {"widths": (32, 64), "blocks": 1, "attention": (1,), "scale_shift": False, "residual_resampling": False}


@pytest.fixture
def flow_net(tmp_path):
    """A file as torchcfm saves it: images of 3x8x8."""
    torch.manual_seed(0)
    net = ADMUNet(ADMConfig(8, 3, 3, 32, **OPTIONS))
    file = tmp_path / "otcfm.pt"
    torch.save({"ema_model": net.state_dict(), "net_model": {}, "step": 400_000}, file)
    return file


def test_an_imported_network_is_sampled(invoke, flow_net):
    result = invoke("import", flow_net, "--family", "torchcfm[image_size=8]")
    assert result.exit_code == 0, result.output
    assert "otcfm.safetensors: a network of the family torchcfm; bench run --model" in result.output
    drawn = invoke("sample", "flow", "--model", flow_net.with_suffix(".safetensors"), "--steps", 2, "--count", 4)
    assert drawn.exit_code == 0, drawn.output
    assert "4 images, 2 network evaluations each" in drawn.output


def test_the_family_is_recognised_and_the_output_chosen(invoke, flow_net, tmp_path):
    result = invoke("import", flow_net, "--output", tmp_path / "new" / "net.safetensors")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "new" / "net.safetensors").is_file()
    assert not flow_net.with_suffix(".safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.pkl"], "There is no file 'nowhere.pkl' to import"), (["."], "There is no file '.'"),
        (["empty.pt"], "is damaged or not a file of weights"), (["text.pkl"], "is damaged or not a file of weights"),
        (["otcfm.pt", "--family", "torchcfn"], "Did you mean 'torchcfm'?"),
        (["otcfm.pt", "--family", "torchcfm[image=8]"], "Did you mean 'image_size'?"),
        (["otcfm.pt", "--family", "torchcfm[image_size=0]"], "must lie between 1 and 1024"),
        (["otcfm.pt", "--family", "torchcfm[image_size=9]"], "cannot be halved 1 times"),
        (["otcfm.pt", "--family", "torchcfm[head_channels=48]"], "64 channels cannot be divided into heads of 48"),
        (["otcfm.pt", "--family", "edm"], "it holds no pickled network"),
        (["otcfm.pt", "--family", "torchcfm[weights=net_model]"], "otcfm.pt holds nothing"),
        (["otcfm.pt", "--output", "net.bin"], "give --output such an ending"),
        (["otcfm.pt", "--output", "empty.pt/net.safetensors"], "Cannot write"),
        (["otcfm.pt", "--output", "old.safetensors"], "'old.safetensors' exists: choose another --output"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_sentence(invoke, flow_net, tmp_path, arguments, message):
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "text.pkl").write_text("hello")
    (tmp_path / "old.safetensors").write_text("kept")
    result = invoke("import", *arguments)
    assert result.exit_code == 2
    (error,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert message in error
    assert "Traceback" not in result.output
    assert not flow_net.with_suffix(".safetensors").exists()
    assert (tmp_path / "old.safetensors").read_text() == "kept"
