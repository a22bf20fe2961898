"""IdentityNet: the siamese network that tells people apart and guides AnonymizationNet (paper, section 3; CIAGAN)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from masquerade.networks.landmarks import Residual, convolution

NUMBERS = 128
CROP_SIDE, WINDOW_SIDE = 128, 112


class IdentityNet(nn.Module):
    """A plain residual network, cheap to differentiate through.

    It looks at the middle 112 x 112 pixels of the canonical crop: the inner face from hairline to chin.

    Forward: canonical crop N x 3 x 128 x 128 in [-1, 1] (other sides are resized) to unit vectors N x 128; the cosine of two is near
    one for photos of the same person.
    """

    def __init__(self, widths: tuple[int, int, int] = (48, 128, 256)) -> None:
        super().__init__()
        w1, w2, w3 = widths
        self.body = nn.Sequential(
            nn.PixelUnshuffle(4),
            convolution(48, w1),
            Residual(w1),
            convolution(w1, w2, 2),
            Residual(w2),
            Residual(w2),
            convolution(w2, w3, 2),
            Residual(w3),
            nn.Conv2d(w3, 64, 1, bias=False),
            nn.BatchNorm2d(64),
            nn.Flatten(),
        )
        self.head = nn.Linear(64 * 7 * 7, NUMBERS, bias=False)
        self.norm = nn.BatchNorm1d(NUMBERS, affine=False)

    def forward(self, crop: torch.Tensor) -> torch.Tensor:
        if crop.shape[-1] != CROP_SIDE:
            crop = F.interpolate(crop, size=(CROP_SIDE, CROP_SIDE), mode="bilinear", align_corners=False)
        edge = (CROP_SIDE - WINDOW_SIDE) // 2
        window = crop[:, :, edge : edge + WINDOW_SIDE, edge : edge + WINDOW_SIDE]
        return F.normalize(self.norm(self.head(self.body(window))), dim=1)
