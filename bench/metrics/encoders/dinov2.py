"""DINOv2's vision transformers."""

from dataclasses import dataclass, field

from samplerbench.metrics.dinov2 import find_weights
from samplerbench.metrics.encoders.base import ENCODERS, Encoder, Encoding, check_colours
from samplerbench.metrics.extractors import Extractor

SIZES = {384: "S", 768: "B", 1024: "L"}  # by width


@ENCODERS.register("dinov2")
@dataclass(frozen=True)
class DinoV2Encoder(Encoder):
    """DINOv2's ViT-S, B or L/14 from a file of its published weights (arXiv 2304.07193), on images at 224x224.

    weights: the file; by default dinov2_vitl14_pretrain.pth in torch.hub's folder of checkpoints.
    """

    weights: str | None = field(default=None, metadata={"argument": "FILE"})

    meaning = "DINOv2, a vision transformer trained on photographs without labels"

    def load(self, shape, device):
        check_colours(shape, self.name)
        extractor = Extractor("dinov2", device, weights=str(find_weights(self.weights)))
        label = f"DINOv2 ViT-{SIZES[extractor.width]}/14" if extractor.width in SIZES else "DINOv2"
        return Encoding(
            extractor.width, extractor.digest, lambda images: extractor.extract(images).features, device, label
        )
