"""SuperResolutionNet: gives a new face of 128 x 128 the detail of the photo that it is laid into, fourfold in each direction."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

FACTOR = 4
"""How many times wider and higher the answer is."""


class _Residual(nn.Module):
    """Without normalisation, which takes away what tells a sharp photo from a soft one (Lim et al. 2017, EDSR)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(channels, channels, 3, padding=1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = x + self.convs(x)
        return added


class SuperResolutionNet(nn.Module):
    """A new face and the photo around it, in full detail, to the face in the same detail.

    Forward: picture N x 3 x S x S in [-1, 1] (the new face inside the mask, the photo outside), mask N x 1 x S x S in [0, 1], around
    N x 3 x 4S x 4S in [-1, 1] (the photo outside the mask, zero inside: the person's pixels are never seen) to picture N x 3 x 4S x 4S in
    [-1, 1]. The caller pastes it through the mask.

    Everything happens at S and below; the last step only sorts channels into pixels (Shi et al. 2016). Made small again, the answer is the picture
    that came in (back-projection, Irani and Peleg 1991): detail is added, and what is there is not exaggerated.
    """

    def __init__(self, widths: tuple[int, int, int] = (64, 96, 160), deep: int = 4) -> None:
        super().__init__()
        w1, w2, w3 = widths
        self.unshuffle, self.shuffle = nn.PixelUnshuffle(FACTOR), nn.PixelShuffle(FACTOR)
        self.entry = nn.Sequential(nn.Conv2d(3 + 1 + 3 * FACTOR**2, w1, 3, padding=1), nn.LeakyReLU(0.2, inplace=True))
        self.down1, self.down2 = nn.Conv2d(w1, w2, 4, 2, 1), nn.Conv2d(w2, w3, 4, 2, 1)
        self.at_half = _Residual(w2)
        self.deep = nn.Sequential(*[_Residual(w3) for _ in range(deep)])
        self.below2, self.below1 = nn.Conv2d(w3, w2, 1), nn.Conv2d(w2, w1, 1)
        self.up2, self.up1 = _Residual(w2), _Residual(w1)
        self.exit = nn.Conv2d(w1, 3 * FACTOR**2, 3, padding=1)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)  # type: ignore[arg-type]

    def forward(self, picture: torch.Tensor, mask: torch.Tensor, around: torch.Tensor) -> torch.Tensor:
        whole = self.entry(torch.cat([picture, mask, self.unshuffle(around)], 1))
        half = self.at_half(F.leaky_relu(self.down1(whole), 0.2))
        quarter = self.deep(F.leaky_relu(self.down2(half), 0.2))
        half = self.up2(half + F.interpolate(self.below2(quarter), scale_factor=2.0, mode="nearest"))
        whole = self.up1(whole + F.interpolate(self.below1(half), scale_factor=2.0, mode="nearest"))
        detailed = enlarged(picture) + self.shuffle(self.exit(whole))
        large: torch.Tensor = detailed + enlarged(picture - F.avg_pool2d(detailed, FACTOR))
        return large


def enlarged(picture: torch.Tensor) -> torch.Tensor:
    """N x C x S x S to N x C x 4S x 4S, between the pixels on straight lines."""
    return F.interpolate(picture, scale_factor=float(FACTOR), mode="bilinear", align_corners=False)
