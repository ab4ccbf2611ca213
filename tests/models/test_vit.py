import torch
from torchvision.models import VisionTransformer as TorchvisionViT


def as_torchvision(net):
    """The same network in torchvision's, which has no layer scale: it is folded into the layers before it."""
    state = net.state_dict()
    renamed = {
        "class_token": state["cls_token"],
        "encoder.pos_embedding": state["pos_embed"],
        **{f"conv_proj.{kind}": state[f"patch_embed.proj.{kind}"] for kind in ("weight", "bias")},
        **{f"encoder.ln.{kind}": state[f"norm.{kind}"] for kind in ("weight", "bias")},
    }
    for block in range(2):
        ours, theirs = f"blocks.{block}", f"encoder.layers.encoder_layer_{block}"
        for kind in ("weight", "bias"):
            scale1, scale2 = (state[f"{ours}.ls{i}.gamma"].view(-1, *[1] * (kind == "weight")) for i in (1, 2))
            renamed |= {
                f"{theirs}.ln_1.{kind}": state[f"{ours}.norm1.{kind}"],
                f"{theirs}.ln_2.{kind}": state[f"{ours}.norm2.{kind}"],
                f"{theirs}.self_attention.in_proj_{kind}": state[f"{ours}.attn.qkv.{kind}"],
                f"{theirs}.self_attention.out_proj.{kind}": scale1 * state[f"{ours}.attn.proj.{kind}"],
                f"{theirs}.mlp.0.{kind}": state[f"{ours}.mlp.fc1.{kind}"],
                f"{theirs}.mlp.3.{kind}": scale2 * state[f"{ours}.mlp.fc2.{kind}"],
            }
    vit = TorchvisionViT(image_size=56, patch_size=14, num_layers=2, num_heads=1, hidden_dim=64, mlp_dim=256)
    vit.heads = torch.nn.Identity()
    vit.load_state_dict(renamed)
    return vit.eval()


def test_the_network_is_a_vision_transformer_with_layer_scale(random_vit):
    net, images = random_vit(side=4), torch.randn(3, 3, 56, 56)
    with torch.inference_mode():
        torch.testing.assert_close(net(images), as_torchvision(net)(images), rtol=1e-4, atol=1e-4)


def test_positions_are_resized_to_the_grid_of_the_image(random_vit):
    """A ramp stays a ramp, sampled at the published scale of 16.1 / 37; with 16 / 37 it would be 0.2 off."""
    net = random_vit()
    net.pos_embed[0, 1:] = torch.arange(37.0).repeat(37, 1).flatten()[:, None]
    found = net._positions(16)[0, 0]
    expected = (torch.arange(16) + 0.5) * 37 / 16.1 - 0.5
    torch.testing.assert_close(found[:, 2:-2], expected[2:-2].expand(16, -1), rtol=0, atol=0.06)
