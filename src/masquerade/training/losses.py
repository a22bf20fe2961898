"""The losses that several tasks share."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from masquerade.networks.segmentation import Encoder
from masquerade.regions import BROWS, EYES, GLASSES, LOWER_LIP, MOUTH, UPPER_LIP
from masquerade.training.loop import autocast
from masquerade.training.proxy import blurred

FINE = 1.6
"""Details are what a blur of this sigma takes away, in pixels."""

COARSER = 4.0
"""And features of a face what this one does."""

LIGHT_CELLS = 8
"""Light is compared in so many by so many cells."""


Verdicts = tuple[torch.Tensor, torch.Tensor]


class FeatureLoss(nn.Module):
    """Relative L1 distance of EfficientNet-Lite0's features after blocks 1, 3 and 5 (perceptual loss, Johnson et al. 2016)."""

    BLOCKS = (0, 1, 3, 5)

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__()
        encoder = Encoder(pretrained)
        self.stem, self.blocks = encoder.stem, encoder.blocks[: max(self.BLOCKS) + 1]
        self.eval().requires_grad_(False)

    def features(self, picture: torch.Tensor) -> list[torch.Tensor]:
        """N x 3 x S x S in [-1, 1] to one feature map for each of BLOCKS."""
        kept, x = [], self.stem(picture)
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.BLOCKS:
                kept.append(x)
        return kept

    def forward(self, picture: torch.Tensor, truth: list[torch.Tensor]) -> torch.Tensor:
        """`truth`: features of the true picture, computed once without gradients."""
        pairs = [(f.float(), t.float()) for f, t in zip(self.features(picture), truth, strict=True)]
        distances = [F.l1_loss(f, t) / t.abs().mean().clamp(min=1e-3) for f, t in pairs]
        return torch.stack(distances).mean()


def judged(
    feature_loss: FeatureLoss, critic: nn.Module, fake: torch.Tensor, true: torch.Tensor, planes: torch.Tensor, with_critic: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """How far made pictures are from the true ones in features, and what a critic says of them (zero without), which does not learn here.

    Args:
        fake, true: N x 3 x S x S in [-1, 1].
        planes: what the critic sees beside the pictures.
    """
    critic.requires_grad_(False)
    with autocast():
        with torch.no_grad():
            truth = feature_loss.features(true)
        feature = feature_loss(fake, truth)
        adversarial = hinge_generator(critic(fake, planes)) if with_critic else torch.zeros((), device=fake.device)
    critic.requires_grad_(True)
    return feature, adversarial


def hinge_critic(real: Verdicts, fake: Verdicts) -> torch.Tensor:
    """Hinge loss of a critic (Lim and Ye 2017), mean over its two heads."""
    return torch.stack([F.relu(1 - r.float()).mean() + F.relu(1 + f.float()).mean() for r, f in zip(real, fake, strict=True)]).mean()


def hinge_generator(fake: Verdicts) -> torch.Tensor:
    return -torch.stack([f.float().mean() for f in fake]).mean()


def r1_penalty(verdicts: Verdicts, picture: torch.Tensor) -> torch.Tensor:
    """Squared gradient of the verdicts at real pictures (Mescheder et al. 2018); `picture` must require gradients."""
    score = verdicts[0].mean((1, 2, 3)).sum() + verdicts[1].sum()
    (gradient,) = torch.autograd.grad(score, picture, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()


def features_of(planes: torch.Tensor) -> torch.Tensor:
    """Where is what people look at: eyes, brows, glasses, mouth. Planes N x 14 x S x S to N x 1 x S x S."""
    return planes[:, [GLASSES, EYES, BROWS, MOUTH, UPPER_LIP, LOWER_LIP]].sum(1, keepdim=True)


def attention(planes: torch.Tensor) -> torch.Tensor:
    """What people look at weighs three times. Planes N x 14 x S x S to N x 1 x S x S."""
    return 1 + 2 * features_of(planes)


def masked_l1(picture: torch.Tensor, truth: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference, weighted by a mask N x 1 x S x S."""
    return ((picture - truth).abs() * mask).sum() / (3 * mask.sum().clamp(min=1))


def light_difference(fake: torch.Tensor, masks: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean difference of coarse colours within the face: N x 3 x S x S each, in [-1, 1]."""
    cell = fake.shape[-1] // LIGHT_CELLS
    share = F.avg_pool2d(masks, cell)
    difference = F.avg_pool2d((fake - truth) * masks, cell)
    return difference.abs().sum() / (3 * share.sum().clamp(min=1))


def detail_difference(fake: torch.Tensor, given: torch.Tensor, masks: torch.Tensor, sigma: float = FINE) -> torch.Tensor:
    """Mean difference of what is finer than a few pixels, within the face."""
    fine = (fake - blurred(fake, sigma)) - (given - blurred(given, sigma))
    return (fine.abs() * masks).sum() / (3 * masks.sum().clamp(min=1))
