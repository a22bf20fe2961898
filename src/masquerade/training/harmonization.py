"""Trains HarmonizationNet on the proxy task: give the photo back after its face was spoilt.

A share of the spoilt faces went through AnonymizationNet with their own map and code: no identity changes, but roughness is of the very
kind that this network will have to mend. Where ShapeVAE is at hand, a share of each batch are strangers' faces on drawn maps, as at work.
No true picture belongs to them: their light must be that of the face that was there, and their details those that came in. The critic does
not judge them: without a picture to compare with, it taught a pattern of fine lines.

Some photos are put out of focus or made black and white: the face that comes in is sharp and coloured, the one that goes out must not be.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from masquerade.networks.discriminators import Discriminator
from masquerade.networks.harmonization import HarmonizationNet
from masquerade.training.adversarial import AdversarialPreset, teach
from masquerade.training.data import open_prepared
from masquerade.training.degradation import Degradation, degradation_of
from masquerade.training.faces import Faces, batch_at, batch_of, faces_of
from masquerade.training.loop import (
    DEVICE,
    Average,
    Budget,
    Losses,
    Run,
    autocast,
    begin_from,
    flat_then_linear,
    on_device,
    set_rate,
    to_pixels,
    write_grid,
)
from masquerade.training.losses import FeatureLoss, attention, detail_difference, judged, light_difference, masked_l1
from masquerade.training.projected import ProjectedJudge
from masquerade.training.proxy import spoilt
from masquerade.training.rough import Rough, given_to_mend


@dataclass(frozen=True)
class Preset(AdversarialPreset):
    """`light`, `detail`: what strangers' light and details count. `through_generator`, `strangers`: shares of own faces and of the batch.
    `out_of_focus`, `gray`: shares of the photos that are made so; their faces come in sharp and coloured."""

    light: float = 2.0
    detail: float = 4.0
    through_generator: float = 0.6
    strangers: float = 0.33
    out_of_focus: float = 0.35
    gray: float = 0.06


PRESETS = {
    "cpu": Preset(Budget(150_000, 12)),
    "gpu": Preset(Budget(1_000_000, 96, save_every_s=40), r1_every=16, projected=0.3),
    "paper": Preset(Budget(12_000_000, 12), rate=1e-5, critic_rate=1e-5),
}


def train(
    data: Path,
    out: Path,
    preset: Preset,
    rough: Path | None,
    seed: int = 0,
    side: int = 128,
    start: Path | None = None,
    shape: Path | None = None,
) -> None:
    """Trains until the budget is spent.

    Args:
        rough: checkpoint of an AnonymizationNet run; None trains on spoilt photos alone.
        side: 64 or 128, as for AnonymizationNet.
        start: checkpoint of an earlier run whose networks this one begins with.
        shape: checkpoint of a ShapeVAE run; None trains without strangers.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    prepared = open_prepared(data)
    faces, watched = faces_of(prepared, "train"), faces_of(prepared, "val")
    maker = Rough(rough, shape, faces) if rough else None
    strangers = round(preset.strangers * preset.budget.batch) if maker and maker.shape and side == 128 else 0
    own = preset.budget.batch - strangers
    network, critic = on_device(HarmonizationNet()), on_device(Discriminator(1, (32, 64, 128, 160)))
    optimizer = torch.optim.Adam(network.parameters(), lr=preset.rate, betas=(0.5, 0.95))
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=preset.critic_rate, betas=(0.5, 0.95))
    average = Average(network)
    networks: dict[str, nn.Module | Average] = {"network": network, "critic": critic, "average": average}
    if start:
        begin_from(start, networks)
    parts = {**networks, "optimizer": optimizer, "critic_optimizer": critic_optimizer}
    judge = ProjectedJudge(preset.critic_rate) if preset.projected else None
    run = Run(out, preset.budget, parts | judge.parts() if judge else parts)
    feature_loss = on_device(FeatureLoss())

    def one_step(step: int) -> Losses:
        for o in (optimizer, critic_optimizer):
            set_rate(o, flat_then_linear(run.progress))
        batch = batch_of(faces, preset.budget.batch, rng, side)
        given, planes = given_to_mend(batch, maker, preset.through_generator, strangers)
        degraded = degradation_of(preset.budget.batch, preset.out_of_focus, preset.gray, DEVICE)
        pictures = degraded(batch.pictures)
        entry = torch.lerp(pictures, given, batch.masks)
        with autocast():
            mended = network(entry, batch.masks, planes)
        fake = torch.lerp(pictures, mended.float(), batch.masks)
        half = F.avg_pool2d(batch.masks[:own], 2)
        on = 1.0 if start else min(1.0, max(0.0, (step - 300) / 600))
        loss_critic = teach(critic, critic_optimizer, pictures[:own], fake[:own].detach(), half, preset, step) if on > 0 else 0.0
        l1 = masked_l1(fake[:own], pictures[:own], batch.masks[:own] * attention(batch.planes[:own]))
        feature, adversarial = judged(feature_loss, critic, fake[:own], pictures[:own], half, on > 0)
        light = light_difference(fake[own:], batch.masks[own:], pictures[own:]) if strangers else 0.0
        detail = detail_difference(fake[own:], degraded(given[own:], slice(own, None)), batch.masks[own:]) if strangers else 0.0
        loss = preset.l1 * l1 + preset.feature * feature + on * preset.adversarial * adversarial + preset.light * light + preset.detail * detail
        losses = {"l1": l1, "feature": feature, "adversarial": adversarial, "light": light, "detail": detail, "critic": loss_critic}
        if judge:
            losses["projected"], losses["judge"] = judge(pictures[:own], fake[:own], step, flat_then_linear(run.progress))
            loss = loss + preset.projected * losses["projected"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update(network, step)
        return losses

    run.train(one_step, look=lambda: _look(average.network, maker, watched, out / "grid.png"))


def _look(network: nn.Module, maker: Rough | None, faces: Faces, path: Path) -> None:
    """Originals, spoilt, mended; rough strangers, mended; rough strangers in photos more and more out of focus, some gray, mended."""
    network.eval()
    rows = np.linspace(0, len(faces.crops) - 1, 16).astype(np.int64)
    still = np.zeros(len(rows), bool)
    batch = batch_at(faces, rows, still, still)
    gentle = torch.zeros(len(rows), dtype=torch.bool, device=DEVICE)
    grid = [to_pixels(batch.pictures)]
    entries = [(batch.pictures, spoilt(batch.pictures, gentle), batch.planes)]
    if maker:
        made, drawn = maker.stranger(batch)
        degraded = Degradation(torch.linspace(0, 1, len(rows), device=DEVICE), torch.arange(len(rows), device=DEVICE) % 5 == 4)
        entries += [(batch.pictures, made, drawn), (degraded(batch.pictures), made, drawn)]
    for pictures, given, planes in entries:
        entry = torch.lerp(pictures, given, batch.masks)
        with torch.no_grad():
            mended = torch.lerp(pictures, network(entry, batch.masks, planes), batch.masks)
        grid += [to_pixels(entry), to_pixels(mended)]
    write_grid(path, grid)
