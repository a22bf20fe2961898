"""HarmonizationNet: turns a rough face into a believable one within its surroundings (paper, section 3.2). It knows no identities."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from masquerade.regions import MERGED

KEPT_AT_FIRST = -4.0
"""Logit of the share of the previous picture that an untrained TemporalHarmonizationNet keeps: two percent."""


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
        return self.mended(picture, self.decoded(self.encoded(picture, mask, planes)))

    def encoded(self, picture: torch.Tensor, mask: torch.Tensor, planes: torch.Tensor) -> list[torch.Tensor]:
        """Features at S/2, S/4, S/8, S/16 and, from the bottleneck, S/32."""
        x = self.entry(torch.cat([self.unshuffle(picture), F.avg_pool2d(mask, 2), F.avg_pool2d(planes, 2)], 1))
        features = [x]
        for down in self.down:
            x = down(x)
            features.append(x)
        return features

    def decoded(self, features: list[torch.Tensor]) -> torch.Tensor:
        """What `encoded` gave to features N x w1 x S/2 x S/2."""
        x: torch.Tensor = self.middle(features[4])
        for index, (up, below, skip) in enumerate(zip(self.up, self.below, self.skips, strict=True)):
            x = F.interpolate(below(x), scale_factor=2.0, mode="nearest") + skip(features[3 - index])
            x = up(x)
        return x

    def mended(self, picture: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """The picture with the gain and the offset that the features stand for."""
        gain, offset = self.shuffle(self.exit(x)).chunk(2, 1)
        mended: torch.Tensor = picture * (1 + gain) + offset
        return mended


class TemporalHarmonizationNet(HarmonizationNet):
    """HarmonizationNet that also sees the new face of the frame before (paper, supplement).

    Forward: picture, mask, planes as there, previous N x 3 x S x S in [-1, 1] and where it counts, N x 1 x S x S in [0, 1] (zeros: there is
    none, as in a first frame) to picture N x 3 x S x S in [-1, 1].

    A second encoder reads the previous face. Its embedding joins the other one at the bottleneck, as in the paper; its finer features join
    the skips, because no detail passes 4 x 4 cells. What joins begins at zero: a fresh network gives what the photo network gives, whose
    parameters have the same names. One more plane says what share of each previous pixel is kept; it begins near zero.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (48, 80, 128, 160), earlier: tuple[int, int, int, int] = (24, 40, 64, 80)) -> None:
        super().__init__(widths)
        (w1, w2, w3, w4), (e1, e2, e3, e4) = widths, earlier
        self.earlier_entry = nn.Sequential(nn.Conv2d(12 + 1, e1, 3, padding=1), nn.LeakyReLU(0.2, inplace=True))
        self.earlier_down = nn.ModuleList([_down(e1, e2), _down(e2, e3), _down(e3, e4), _down(e4, e4)])
        # Both features in, as at the paper's bottleneck: where they agree can only be seen in both.
        pairs = ((w1, e1), (w2, e2), (w3, e3), (w4, e4), (w4, e4))
        self.joins = nn.ModuleList([nn.Conv2d(w + e, w, 1) for w, e in pairs])
        self.keep = nn.Conv2d(w1, 4, 3, padding=1)
        for conv in (*self.joins, self.keep):
            nn.init.zeros_(conv.weight)
            nn.init.zeros_(conv.bias)
        nn.init.constant_(self.keep.bias, KEPT_AT_FIRST)  # type: ignore[arg-type]

    def forward(  # type: ignore[override]
        self, picture: torch.Tensor, mask: torch.Tensor, planes: torch.Tensor, previous: torch.Tensor, previous_mask: torch.Tensor
    ) -> torch.Tensor:
        features = self.encoded(picture, mask, planes)
        x = self.earlier_entry(torch.cat([self.unshuffle(previous * previous_mask), F.avg_pool2d(previous_mask, 2)], 1))
        joined = [features[0] + self.joins[0](torch.cat([features[0], x], 1))]
        for down, feature, join in zip(self.earlier_down, features[1:], list(self.joins)[1:], strict=True):
            x = down(x)
            joined.append(feature + join(torch.cat([feature, x], 1)))
        x = self.decoded(joined)
        keep: torch.Tensor = self.shuffle(self.keep(x)).sigmoid() * previous_mask
        fresh = self.mended(picture, x)
        return fresh + keep * (previous - fresh)
