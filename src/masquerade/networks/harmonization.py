"""HarmonizationNet: turns a rough face into a believable one within its surroundings (paper, section 3.2). It knows no identities."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from masquerade.regions import MERGED


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.leaky_relu(x + self.convs(x), 0.2)


def _down(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2, inplace=True))


class HarmonizationNet(nn.Module):
    """Rough face and surroundings to a face that belongs there.

    Forward: picture N x 3 x S x S in [-1, 1] (rough face inside the mask, surroundings outside), mask N x 1 x S x S in [0, 1], planes
    N x 14 x S x S (the map that was drawn) to picture N x 3 x S x S in [-1, 1]. The caller pastes it through the mask.

    The answer is a gain and an offset for every pixel of the rough face: colour and light are soon right, and what is sharp stays sharp.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (48, 80, 128, 160)) -> None:
        super().__init__()
        w1, w2, w3, w4 = widths
        self.unshuffle = nn.PixelUnshuffle(2)
        self.entry = nn.Sequential(nn.Conv2d(12 + 1 + len(MERGED), w1, 3, padding=1), nn.LeakyReLU(0.2, inplace=True))
        self.down = nn.ModuleList([_down(w1, w2), _down(w2, w3), _down(w3, w4), _down(w4, w4)])
        self.middle = nn.Sequential(_Residual(w4))
        self.skips = nn.ModuleList([nn.Conv2d(w4, w4, 1), nn.Conv2d(w3, w3, 1), nn.Conv2d(w2, w2, 1), nn.Conv2d(w1, w1, 1)])
        self.below = nn.ModuleList([nn.Conv2d(w4, w4, 1), nn.Conv2d(w4, w3, 1), nn.Conv2d(w3, w2, 1), nn.Conv2d(w2, w1, 1)])
        self.up = nn.ModuleList([_Residual(w4), _Residual(w3), _Residual(w2), _Residual(w1)])
        self.exit = nn.Conv2d(w1, 24, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)  # type: ignore[arg-type]

    def forward(self, picture: torch.Tensor, mask: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        x = self.entry(torch.cat([self.unshuffle(picture), F.avg_pool2d(mask, 2), F.avg_pool2d(planes, 2)], 1))
        features = [x]
        for down in self.down:
            x = down(x)
            features.append(x)
        x = self.middle(x)
        for index, (up, below, skip) in enumerate(zip(self.up, self.below, self.skips, strict=True)):
            x = F.interpolate(below(x), scale_factor=2.0, mode="nearest") + skip(features[3 - index])
            x = up(x)
        gain, offset = self.shuffle(self.exit(x)).chunk(2, 1)
        mended: torch.Tensor = picture * (1 + gain) + offset
        return mended
