"""ShapeVAE: draws the inner parsing map of another person. Ours, not the paper's: the person's own map gives the person away.

A variational autoencoder of maps. The decoder knows the surroundings (classes outside the face, and the face's area), pose and
expression (the condition), and a latent that says whose face it is. All maps are soft: shares of each class at 64 x 64.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from masquerade.regions import GLASSES, INNER, OUTER

SIDE = 64
_GLASSES = INNER.index(GLASSES)
LATENT = 64
CONDITION = 11
"""Ten numbers of pose and expression (see `masquerade.faces.landmarks.CONDITION`), and whether glasses are worn."""


class ShapeEncoder(nn.Module):
    """Inner map, surroundings and condition to mean and log variance of the latent.

    Forward: inner N x 8 x 64 x 64, outer N x 7 x 64 x 64, condition N x 11 to two N x 64.
    """

    def __init__(self, latent: int = LATENT) -> None:
        super().__init__()
        widths = (len(INNER) + len(OUTER) + 1, 32, 64, 96, 128)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2, inplace=True)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(128 * 16 + CONDITION, 2 * latent)

    def forward(self, inner: torch.Tensor, outer: torch.Tensor, condition: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # Glasses are the condition's matter: a latent that knew of them would put them on everybody who gets it.
        skin = inner[:, :1] + inner[:, _GLASSES : _GLASSES + 1]
        inner = torch.cat([skin, inner[:, 1:_GLASSES], torch.zeros_like(skin), inner[:, _GLASSES + 1 :]], 1)
        features = self.body(torch.cat([inner, outer], 1)).flatten(1)
        mean, spread = self.head(torch.cat([features, condition], 1)).chunk(2, 1)
        return mean, spread.clamp(-8, 4)


class _Draw(nn.Module):
    """Two convolutions at one scale; surroundings added at its entry, latent and condition scale and shift every channel."""

    def __init__(self, channels: int, out: int, code: int) -> None:
        super().__init__()
        self.outer = nn.Conv2d(len(OUTER) + 1, channels, 1)
        self.first = nn.Conv2d(channels, out, 3, padding=1, bias=False)
        self.second = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(out, affine=False), nn.BatchNorm2d(out, affine=False)])
        self.style = nn.Linear(code, 4 * out)

    def forward(self, x: torch.Tensor, outer: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        x = x + self.outer(outer)
        scale1, shift1, scale2, shift2 = self.style(code)[:, :, None, None].chunk(4, 1)
        x = F.leaky_relu(self.norms[0](self.first(x)) * (1 + scale1) + shift1, 0.2)
        return F.leaky_relu(self.norms[1](self.second(x)) * (1 + scale2) + shift2, 0.2)


class ShapeDecoder(nn.Module):
    """Latent, surroundings and condition to the logits of the inner classes.

    Forward: latent N x 64, outer N x 7 x 64 x 64, condition N x 11 to N x 8 x 64 x 64.
    """

    def __init__(self, latent: int = LATENT, widths: tuple[int, ...] = (128, 80, 48, 24), code: int = 128) -> None:
        super().__init__()
        self.widths = widths
        self.mapping = nn.Sequential(nn.Linear(latent + CONDITION, code), nn.LeakyReLU(0.2), nn.Linear(code, code), nn.LeakyReLU(0.2))
        self.start = nn.Linear(latent + CONDITION, widths[0] * 64)
        entries = (widths[0], *widths[:-1])
        self.scales = nn.ModuleList([_Draw(i, o, code) for i, o in zip(entries, widths, strict=True)])
        self.head = nn.Conv2d(widths[-1], len(INNER), 3, padding=1)

    def forward(self, latent: torch.Tensor, outer: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        both = torch.cat([latent, condition], 1)
        code = self.mapping(both)
        x = self.start(both).view(-1, self.widths[0], 8, 8)
        pyramid = [F.avg_pool2d(outer, k) for k in (8, 4, 2)] + [outer]
        for index, (scale, around) in enumerate(zip(self.scales, pyramid, strict=True)):
            if index:
                x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = scale(x, around, code)
        logits: torch.Tensor = self.head(x)
        return logits


class ShapeVAE(nn.Module):
    """Encoder and decoder with the condition's normalisation.

    At work only `draw` runs: latent N x 64, outer N x 7 x 64 x 64, condition N x 11 (raw) to logits N x 8 x 128 x 128.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = ShapeEncoder(), ShapeDecoder()
        self.condition_mean: torch.Tensor
        self.condition_scale: torch.Tensor
        self.register_buffer("condition_mean", torch.zeros(CONDITION))
        self.register_buffer("condition_scale", torch.ones(CONDITION))

    def normalise(self, condition: torch.Tensor) -> torch.Tensor:
        return ((condition - self.condition_mean) / self.condition_scale).clamp(-4, 4)

    def forward(self, latent: torch.Tensor, outer: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Enlarging logits, not classes, gives smooth outlines."""
        logits = self.decoder(latent, outer, self.normalise(condition))
        return F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)


class MapCritic(nn.Module):
    """Judges drawn maps in training: real or drawn, and which pose and expression they show.

    Forward: inner N x 8 x 64 x 64, outer N x 7 x 64 x 64 to (N x 1, N x 11).
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (len(INNER) + len(OUTER) + 1, 32, 64, 96, 128)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 16, 128), nn.LeakyReLU(0.2))
        self.verdict, self.condition = nn.Linear(128, 1), nn.Linear(128, CONDITION)

    def forward(self, inner: torch.Tensor, outer: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.body(torch.cat([inner, outer], 1))
        return self.verdict(features), self.condition(features)
