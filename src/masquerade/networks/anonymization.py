"""AnonymizationNet: invents a face from a parsing map and an identity code (paper, section 3.1). It never sees the person's pixels.

The code holds one vector for each region of the face. Spread over the map, it scales and shifts the features of every decoder block
(spatially adaptive normalisation); as a whole it also scales and shifts whole channels (AdaIN).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from masquerade.regions import CODED, EYES, MERGED

CODE = 32
"""Numbers of a region's code."""

GAZE = 2
"""Where the eyes look, x and y, in widths of an eye (see `masquerade.faces.landmarks.CONDITION`): the map has no irises."""

IRIS = 0.2
"""An iris's radius, in widths of the eye."""

ONE_EYE = 0.05
"""Where the eyes' pixels are spread by less, in shares of the side, only one eye is seen."""


class TextureEncoder(nn.Module):
    """Reads the code from a picture: features of a small network, averaged over every region. Used in training, and to make the bank.

    Forward: picture N x 3 x 128 x 128 in [-1, 1], planes N x 14 x 128 x 128 to code N x 9 x 32; a region that is absent has zeros.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(12, 48, 3, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(48, 64, 4, 2, 1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(64, 96, 3, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(96, CODE, 1),
            nn.Tanh(),
        )

    def forward(self, picture: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        features = self.body(picture).flatten(2)
        regions = F.avg_pool2d(planes[:, list(CODED)], 4).flatten(2)
        total = regions.sum(2, keepdim=True)
        code: torch.Tensor = torch.bmm(regions, features.transpose(1, 2)) / total.clamp(min=1) * (total > 1.0)
        return code


class _Modulate(nn.Module):
    """Normalises, then scales and shifts by the style planes of this scale and by the whole code."""

    def __init__(self, channels: int, style: int, code: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.spatial = nn.Conv2d(style, 2 * channels, 1)
        self.whole = nn.Linear(code, 2 * channels)

    def forward(self, x: torch.Tensor, style: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        scale, shift = (self.spatial(style) + self.whole(code)[:, :, None, None]).chunk(2, 1)
        modulated: torch.Tensor = F.leaky_relu(torch.addcmul(shift, self.norm(x), 1 + scale), 0.2)
        return modulated


class _Block(nn.Module):
    """Residual block of two modulated convolutions."""

    def __init__(self, channels: int, style: int, code: int) -> None:
        super().__init__()
        self.modulate = nn.ModuleList([_Modulate(channels, style, code) for _ in range(2)])
        self.convs = nn.ModuleList([nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2)])

    def forward(self, x: torch.Tensor, style: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        y = self.convs[0](self.modulate[0](x, style, code))
        y = self.convs[1](self.modulate[1](y, style, code))
        mixed: torch.Tensor = x + y
        return mixed


class AnonymizationNet(nn.Module):
    """Parsing planes and identity code to a rough face.

    Forward: planes N x 14 x S x S (shares of `regions.MERGED`), code N x 9 x 32, gaze N x 2 to picture N x 3 x S x S in [-1, 1]
    (S = 128; any multiple of 16 works). Works at half the side (pixel unshuffle), enlarges at the end (pixel shuffle).
    """

    def __init__(self, widths: tuple[int, int, int, int] = (48, 96, 160, 192), mapped: int = 128) -> None:
        super().__init__()
        w1, w2, w3, w4 = widths
        style = CODE + len(MERGED)
        self.mapping = nn.Sequential(nn.Linear(len(CODED) * CODE + GAZE, 256), nn.LeakyReLU(0.2), nn.Linear(256, mapped), nn.LeakyReLU(0.2))
        self.unshuffle = nn.PixelUnshuffle(2)
        self.entry = nn.Conv2d(4 * len(MERGED) + 2 + 4, 32, 3, padding=1)
        self.down = nn.ModuleList([nn.Conv2d(32, w2, 4, 2, 1), nn.Conv2d(w2, w3, 4, 2, 1), nn.Conv2d(w3, w4, 4, 2, 1)])
        self.middle = _Block(w4, style, mapped)
        self.below = nn.ModuleList([nn.Conv2d(w4, w3, 1), nn.Conv2d(w3, w2, 1), nn.Conv2d(w2, w1, 1)])
        self.skips = nn.ModuleList([nn.Conv2d(w3, w3, 1), nn.Conv2d(w2, w2, 1), nn.Conv2d(32, w1, 1)])
        self.up = nn.ModuleList([_Block(w3, style, mapped), _Block(w2, style, mapped), _Block(w1, style, mapped)])
        self.detail = _Block(w1, style, mapped)
        self.exit = nn.Conv2d(w1, 12, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, planes: torch.Tensor, code: torch.Tensor, gaze: torch.Tensor) -> torch.Tensor:
        half = F.avg_pool2d(planes, 2)
        styles = [self._style(half if k == 1 else F.avg_pool2d(half, k), code) for k in (1, 2, 4, 8)]
        mapped = self.mapping(torch.cat([code.flatten(1), gaze], 1))
        seen = [self.unshuffle(planes), _coordinates(half), self.unshuffle(irises(planes[:, EYES : EYES + 1], gaze))]
        x = F.leaky_relu(self.entry(torch.cat(seen, 1)), 0.2)
        features = [x]
        for down in self.down:
            x = F.leaky_relu(down(x), 0.2)
            features.append(x)
        x = self.middle(x, styles[3], mapped)
        for index, (up, below, skip) in enumerate(zip(self.up, self.below, self.skips, strict=True)):
            # The map's own features are added, not concatenated: cheaper.
            x = F.interpolate(below(x), scale_factor=2.0, mode="nearest") + skip(features[2 - index])
            x = up(x, styles[2 - index], mapped)
        x = self.detail(x, styles[0], mapped)
        return torch.tanh(self.shuffle(self.exit(F.leaky_relu(x, 0.2))))

    @staticmethod
    def _style(planes: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        """The region's code at each of its pixels, beside the map itself; channels last in memory."""
        n, c, h, w = planes.shape
        last = planes.permute(0, 2, 3, 1).reshape(n, h * w, c)
        spread = torch.bmm(last[..., list(CODED)], code)
        return torch.cat([spread, last], 2).view(n, h, w, CODE + c).permute(0, 3, 1, 2)


def irises(eyes: torch.Tensor, gaze: torch.Tensor) -> torch.Tensor:
    """Where the irises are to be: told as two numbers alone, a gaze is hardly drawn.

    Args:
        eyes: N x 1 x S x S, the eyes' plane of the map, both in one.
        gaze: N x 2.

    Returns:
        N x 1 x S x S in [0, 1], a soft disc in each eye.
    """
    eyes = eyes.float()
    x, y = (_coordinates(eyes) / 2).split(1, 1)

    def mean(weight: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return (weight * value).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True).clamp(min=1e-3)

    def spread(weight: torch.Tensor) -> torch.Tensor:
        return mean(weight, (x - mean(weight, x)).square()).clamp(min=1e-8).sqrt()

    middle, single = mean(eyes, x), (spread(eyes) < ONE_EYE).float()
    discs = torch.zeros_like(eyes)
    for side in (x < middle, x >= middle):
        eye = eyes * torch.maximum(side.float(), single)
        width = (12**0.5 * spread(eye)).clamp(min=0.02)
        across, down = (v - mean(eye, v) - gaze[:, k : k + 1, None, None] * width for k, v in enumerate((x, y)))
        away = (across.square() + down.square()).sqrt()
        is_open = (eye.sum((2, 3), keepdim=True) > 1).float()
        discs = torch.maximum(discs, torch.sigmoid((IRIS * width - away) * eyes.shape[-1]) * is_open)
    return discs


def _coordinates(like: torch.Tensor) -> torch.Tensor:
    """Two planes, x and y from -1 to 1."""
    n, _, h, w = like.shape
    x = torch.linspace(-1, 1, w, device=like.device).view(1, 1, 1, w).expand(n, 1, h, w)
    y = torch.linspace(-1, 1, h, device=like.device).view(1, 1, h, 1).expand(n, 1, h, w)
    return torch.cat([x, y], 1)
