"""A critic that looks through the eyes of a trained network (Sauer et al., Projected GANs converge faster, 2021).

It never sees pixels: EfficientNet-Lite0's features at four scales, mixed across channels and scales by random convolutions that never learn,
go to four small heads. What a plain critic finds out in a hundred thousand pictures such a critic knows in some thousand. It sees no parsing
map and no code, so it may judge strangers on drawn maps beside true faces: it can only say whether something looks like a face. That made
AnonymizationNet draw lifelike strangers within 100,000 pictures. HarmonizationNet answered it with red blotches on strangers whose skin had to
change much, so there it judges own faces only.

It looks three times: at the whole face, and closely at the eyes and at the mouth. Small as they are in the crop, the whole face's critic is content
with eyes that are hardly there.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from masquerade.networks.segmentation import ENCODER_WIDTHS, Encoder
from masquerade.training.loop import autocast, on_device, set_rate

MIXED = (64, 96, 128, 192)
"""Channels of the mixed features at 1/4, 1/8, 1/16 and 1/32 of the side."""

SHIFT_PX, LIGHT = 10, 0.2
"""Before they are judged pictures are moved by at most so much, and made so much lighter or darker (Zhao et al., DiffAugment, 2020)."""


@dataclass(frozen=True)
class View:
    """A part of the canonical crop, in shares of its side, and to how many pixels it is enlarged."""

    left: float
    top: float
    right: float
    bottom: float
    width: int
    height: int


EYES, MOUTH = View(0.2, 0.25, 0.8, 0.55, 256, 128), View(0.3, 0.57, 0.7, 0.84, 192, 128)

VIEWS: tuple[View | None, ...] = (None, EYES, MOUTH)
"""What is looked at, the whole first. Of 2,000 faces 98% of brows and eyes lie at 0.26 to 0.74 across and 0.29 to 0.45 down, of mouths at 0.38 to
0.62 and 0.64 to 0.77."""

UNTAUGHT_STEPS = 300
"""For so many steps a new critic's say grows."""

Verdicts = list[torch.Tensor]


class _Projection(nn.Module):
    """Features of a picture, mixed by random convolutions (the same in every run); nothing here learns."""

    def __init__(self, pretrained: bool) -> None:
        super().__init__()
        self.encoder = Encoder(pretrained)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.across = nn.ModuleList([_random(nn.Conv2d(w, m, 1, bias=False)) for w, m in zip(ENCODER_WIDTHS[1:], MIXED, strict=True)])
            self.below = nn.ModuleList([_random(nn.Conv2d(b, m, 1, bias=False)) for m, b in pairwise(MIXED)])
            self.fuse = nn.ModuleList([_random(nn.Conv2d(m, m, 3, padding=1, bias=False)) for m in MIXED[:-1]])
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> _Projection:
        return super().train(False)

    def forward(self, picture: torch.Tensor) -> list[torch.Tensor]:
        """N x 3 x S x S in [-1, 1] to four feature maps, the finest first."""
        seen = [across(f) for across, f in zip(self.across, self.encoder(picture)[1:], strict=True)]
        mixed = [seen[-1]]
        for index in (2, 1, 0):
            enlarged = F.interpolate(self.below[index](mixed[0]), scale_factor=2.0, mode="bilinear", align_corners=False)
            mixed.insert(0, self.fuse[index](seen[index] + enlarged))
        return mixed


def _random(conv: nn.Conv2d) -> nn.Conv2d:
    nn.init.kaiming_normal_(conv.weight, nonlinearity="linear")
    return conv


class ProjectedCritic(nn.Module):
    """For every view four heads on projected features. Only `heads` learns and belongs into a run's checkpoint.

    Forward: picture N x 3 x 128 x 128 in [-1, 1] to four verdicts for each view, N x 1 x H/32 x W/32 for what is enlarged to H x W.
    """

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__()
        self.projection = _Projection(pretrained)
        widths = list(zip(MIXED, (3, 2, 1, 0), strict=True))
        self.heads = nn.ModuleList([_head(width, halvings) for _ in VIEWS for width, halvings in widths])

    def forward(self, picture: torch.Tensor) -> Verdicts:
        features = [f for view in VIEWS for f in self.projection(_varied(_closely(picture, view)))]
        return [head(f) for head, f in zip(self.heads, features, strict=True)]


class ProjectedJudge:
    """A projected critic that learns beside a generator."""

    def __init__(self, rate: float) -> None:
        self.critic = on_device(ProjectedCritic())
        self.optimizer = torch.optim.Adam(self.critic.heads.parameters(), lr=rate, betas=(0.0, 0.99))

    def parts(self) -> dict[str, Any]:
        """What belongs into a run's checkpoint."""
        return {"heads": self.critic.heads, "heads_optimizer": self.optimizer}

    def __call__(self, real: torch.Tensor, fake: torch.Tensor, step: int, factor: float) -> tuple[torch.Tensor, torch.Tensor]:
        """One step of the critic, and what it then says to the generator.

        Args:
            real, fake: N x 3 x S x S in [-1, 1]; gradients flow to `fake`.
            step: of the run; in its first steps the critic, which knows nothing yet, counts less.
            factor: of the critic's rate, as for the other optimizers.

        Returns:
            The generator's loss, and the critic's, without gradients (hinge losses, mean over views and heads).
        """
        set_rate(self.optimizer, factor)
        self.critic.heads.requires_grad_(True)
        with autocast():
            verdicts = self.critic(torch.cat([real, fake.detach()]))
        count = len(real)
        loss = torch.stack([F.relu(1 - v[:count].float()).mean() + F.relu(1 + v[count:].float()).mean() for v in verdicts]).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.critic.heads.requires_grad_(False)
        with autocast():
            pleased = torch.stack([-v.float().mean() for v in self.critic(fake)]).mean()
        return min(1.0, step / UNTAUGHT_STEPS) * pleased, loss.detach()


def _closely(picture: torch.Tensor, view: View | None) -> torch.Tensor:
    """A view of pictures, enlarged."""
    if view is None:
        return picture
    side = picture.shape[-1]
    top, bottom, left, right = (round(side * share) for share in (view.top, view.bottom, view.left, view.right))
    return F.interpolate(picture[..., top:bottom, left:right].float(), (view.height, view.width), mode="bilinear", align_corners=False)


def _head(width: int, halvings: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(halvings):
        layers += [spectral_norm(nn.Conv2d(width, 128, 4, 2, 1)), nn.LeakyReLU(0.2, inplace=True)]
        width = 128
    layers += [spectral_norm(nn.Conv2d(width, 128, 3, padding=1)), nn.LeakyReLU(0.2, inplace=True), spectral_norm(nn.Conv2d(128, 1, 1))]
    return nn.Sequential(*layers)


def _varied(picture: torch.Tensor) -> torch.Tensor:
    """Pictures moved, mirrored, lighter or darker, each in its own way."""
    count, _, height, width = picture.shape
    device = picture.device
    light = torch.empty(count, 1, 1, 1, device=device).uniform_(-LIGHT, LIGHT)
    theta = torch.zeros(count, 2, 3, device=device)
    theta[:, 0, 0] = torch.where(torch.rand(count, device=device) < 0.5, -1.0, 1.0)
    theta[:, 1, 1] = 1.0
    theta[:, :, 2] = torch.randint(-SHIFT_PX, SHIFT_PX + 1, (count, 2), device=device) * torch.tensor([2 / width, 2 / height], device=device)
    grid = F.affine_grid(theta, [count, 1, height, width], align_corners=False)
    moved = F.grid_sample(picture.float() + light, grid, "nearest", "border", align_corners=False)
    return moved.contiguous(memory_format=torch.channels_last)
