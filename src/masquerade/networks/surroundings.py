"""SurroundingsNet: tells from hair, neck, clothes and the face's outline who would fit there. Ours, not the paper's."""

from __future__ import annotations

import torch
from torch import nn

from masquerade.networks.segmentation import ENCODER_WIDTHS, Encoder

SCALES = 4
"""So many of the encoder's five scales are used: the last holds three quarters of its weights."""


class SurroundingsNet(nn.Module):
    """EfficientNet-Lite0's first four scales, averaged over the picture.

    Forward: scene N x 3 x 128 x 128 in [-1, 1], the face hidden (see `masquerade.faces.scene`), to N x 2: logarithm of the odds that it is a
    woman's, and age (see `masquerade.generation.surroundings.AGE_UNIT`).
    """

    def __init__(self, pretrained: bool = True, width: int = 192, told: int = 2) -> None:
        super().__init__()
        self.encoder = Encoder(pretrained)
        self.encoder.blocks = self.encoder.blocks[: self.encoder.last_block(SCALES) + 1]
        self.mix = nn.Sequential(nn.Conv2d(ENCODER_WIDTHS[SCALES - 1], width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(width, told))

    def forward(self, scene: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.mix(self.encoder(scene)[-1]).mean((2, 3))
        told: torch.Tensor = self.head(features)
        return told
