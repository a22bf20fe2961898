"""The critics of AnonymizationNet (picture and parsing map) and HarmonizationNet (picture alone)."""

from __future__ import annotations

import torch
from torch import nn


class Discriminator(nn.Module):
    """Judges a picture twice: patch by patch and as a whole.

    No spectral norm: regularised with R1 (Mescheder et al. 2018), it teaches more.

    Forward: picture N x 3 x S x S in [-1, 1], further planes N x K x S/2 x S/2 or None, to verdicts on patches N x 1 x S/8 x S/8 and on the
    whole N x 1.
    """

    def __init__(self, planes: int = 0, widths: tuple[int, int, int, int] = (48, 96, 160, 192)) -> None:
        super().__init__()
        w1, w2, w3, w4 = widths
        act = nn.LeakyReLU(0.2, inplace=True)
        self.unshuffle = nn.PixelUnshuffle(2)
        self.entry = nn.Sequential(nn.Conv2d(12 + planes, w1, 3, padding=1), act)
        self.patches = nn.Sequential(nn.Conv2d(w1, w2, 4, 2, 1), act, nn.Conv2d(w2, w2, 3, padding=1), act, nn.Conv2d(w2, w3, 4, 2, 1), act)
        self.patch_head = nn.Conv2d(w3, 1, 3, padding=1)
        self.whole = nn.Sequential(nn.Conv2d(w3, w4, 4, 2, 1), act, nn.Conv2d(w4, w4, 4, 2, 1), act, nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.whole_head = nn.Sequential(nn.Linear(w4 * 16, 128), act, nn.Linear(128, 1))

    def forward(self, picture: torch.Tensor, planes: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.unshuffle(picture)
        if planes is not None:
            x = torch.cat([x, planes], 1)
        x = self.patches(self.entry(x))
        return self.patch_head(x), self.whole_head(self.whole(x))
