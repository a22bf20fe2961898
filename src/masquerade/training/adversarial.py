"""What the trainings with a true picture to compare with and a critic share: their preset, and the critic's step."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from masquerade.networks.discriminators import Discriminator
from masquerade.training.loop import Budget, autocast
from masquerade.training.losses import hinge_critic, r1_penalty


@dataclass(frozen=True)
class AdversarialPreset:
    """How long, how fast, and how much each loss counts; R1 is taken every few steps only. `projected`: what the critic of
    `masquerade.training.projected` counts; 0 does without."""

    budget: Budget
    rate: float = 3e-4
    critic_rate: float = 4e-4
    l1: float = 4.0
    feature: float = 1.0
    adversarial: float = 0.15
    r1: float = 1.0
    r1_every: int = 24
    projected: float = 0.0


def teach(
    critic: Discriminator,
    optimizer: torch.optim.Optimizer,
    real: torch.Tensor,
    fake: torch.Tensor,
    planes: torch.Tensor,
    preset: AdversarialPreset,
    step: int,
) -> torch.Tensor:
    """One step of the critic.

    Args:
        real, fake: N x 3 x S x S in [-1, 1]; `fake` without gradients.
        planes: what the critic sees beside both.

    Returns:
        Its loss.
    """
    count = len(real)
    with autocast():
        patches, whole = critic(torch.cat([real, fake]), torch.cat([planes, planes]))
    loss = hinge_critic((patches[:count], whole[:count]), (patches[count:], whole[count:]))
    value = loss.detach()
    if step % preset.r1_every == 0:
        picture = real[: count // 2].detach().requires_grad_(True)
        loss = loss + preset.r1 * preset.r1_every / 2 * r1_penalty(critic(picture, planes[: count // 2]), picture)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return value
