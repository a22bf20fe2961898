"""Trains HarmonizationNet on the proxy task: give the photo back after its face was spoilt.

A share of the spoilt faces went through AnonymizationNet with their own map and code: no identity changes, but roughness is of the very
kind that this network will have to mend. Where ShapeVAE is at hand, a share of each batch are strangers' faces on drawn maps, as at work.
No true picture belongs to them: their light must be that of the face that was there, and their details those that came in. The critic does
not judge them: without a picture to compare with, it taught a pattern of fine lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from masquerade.networks.anonymization import AnonymizationNet, TextureEncoder
from masquerade.networks.discriminators import Discriminator
from masquerade.networks.harmonization import HarmonizationNet
from masquerade.networks.shape import ShapeVAE
from masquerade.training.anonymization import Batch, CodeMeans, Faces, batch_at, batch_of, faces_of
from masquerade.training.data import open_prepared
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
from masquerade.training.losses import FeatureLoss, attention, hinge_critic, judged, masked_l1, r1_penalty
from masquerade.training.proxy import blurred, spoilt
from masquerade.training.shape import drawn_anew, latents_of

LATENTS = 2000
"""How many made-up people's shapes strangers' maps are drawn from."""

FINE = 1.6
"""Details are what a blur of this sigma takes away, in pixels."""

LIGHT_CELLS = 8
"""Light is compared in so many by so many cells."""


@dataclass(frozen=True)
class Preset:
    budget: Budget
    rate: float = 3e-4
    critic_rate: float = 4e-4
    l1: float = 4.0
    feature: float = 1.0
    adversarial: float = 0.15
    light: float = 2.0
    detail: float = 4.0
    r1: float = 1.0
    r1_every: int = 24
    through_generator: float = 0.6
    strangers: float = 0.33


PRESETS = {
    "cpu": Preset(Budget(150_000, 12)),
    "gpu": Preset(Budget(1_000_000, 64, save_every_s=40), r1_every=16),
    "paper": Preset(Budget(12_000_000, 12), rate=1e-5, critic_rate=1e-5),
}


class Rough:
    """AnonymizationNet and its encoder, and perhaps ShapeVAE, frozen, from runs' checkpoints: makes rough faces of photos."""

    def __init__(self, checkpoint: Path, shape: Path | None = None, faces: Faces | None = None) -> None:
        state = torch.load(checkpoint, weights_only=True, map_location=DEVICE)["parts"]
        self.generator, self.encoder, self.means = on_device(AnonymizationNet()), on_device(TextureEncoder()), on_device(CodeMeans(9, 32))
        self.generator.load_state_dict(state["average"])
        self.encoder.load_state_dict(state["encoder_average"])
        self.means.load_state_dict(state["means"])
        self.shape: ShapeVAE | None = None
        if shape and faces:
            self.shape = on_device(ShapeVAE())
            self.shape.load_state_dict(torch.load(shape, weights_only=True, map_location=DEVICE)["parts"]["average"])
            self.shape.eval()
            some = faces.made_up.nonzero()[:LATENTS, 0]
            self.latents = latents_of(self.shape, faces.maps[some], faces.conditions[some])
        for network in (self.generator, self.encoder):
            network.eval()

    @torch.no_grad()
    def own(self, batch: Batch, noise: float = 0.15) -> torch.Tensor:
        """The pictures of a batch, through the generator with their own map and code."""
        with autocast():
            code = self.encoder(batch.pictures, batch.planes)
            made: torch.Tensor = self.generator(batch.planes, code + noise * torch.randn_like(code), batch.gaze)
        return made.float()

    @torch.no_grad()
    def stranger(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """New faces: a drawn map (where ShapeVAE is at hand) and the code of the batch's neighbour; and the planes of that map."""
        planes = batch.planes
        if self.shape is not None:
            chosen = torch.randint(len(self.latents), (len(planes),), device=planes.device)
            planes = drawn_anew(self.shape, planes, self.latents[chosen], batch.conditions)
        with autocast():
            code = self.means.fill(self.encoder(batch.pictures, batch.planes).roll(1, 0))
            made: torch.Tensor = self.generator(planes, code, batch.gaze)
        return made.float(), planes


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
    run = Run(out, preset.budget, {**networks, "optimizer": optimizer, "critic_optimizer": critic_optimizer})
    feature_loss = on_device(FeatureLoss())

    def one_step(step: int) -> Losses:
        for o in (optimizer, critic_optimizer):
            set_rate(o, flat_then_linear(run.progress))
        batch = batch_of(faces, preset.budget.batch, rng, side)
        given, planes = _given(batch, maker, preset.through_generator, strangers)
        entry = torch.lerp(batch.pictures, given, batch.masks)
        with autocast():
            mended = network(entry, batch.masks, planes)
        fake = torch.lerp(batch.pictures, mended.float(), batch.masks)
        half = F.avg_pool2d(batch.masks[:own], 2)
        on = 1.0 if start else min(1.0, max(0.0, (step - 300) / 600))
        loss_critic = _teach(critic, critic_optimizer, batch.pictures[:own], fake[:own].detach(), half, preset, step) if on > 0 else 0.0
        l1 = masked_l1(fake[:own], batch.pictures[:own], batch.masks[:own] * attention(batch.planes[:own]))
        feature, adversarial = judged(feature_loss, critic, fake[:own], batch.pictures[:own], half, on > 0)
        light = _light(fake[own:], batch.masks[own:], batch.pictures[own:]) if strangers else 0.0
        detail = _detail(fake[own:], given[own:], batch.masks[own:]) if strangers else 0.0
        loss = preset.l1 * l1 + preset.feature * feature + on * preset.adversarial * adversarial + preset.light * light + preset.detail * detail
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update(network, step)
        return {"l1": l1, "feature": feature, "adversarial": adversarial, "light": light, "detail": detail, "critic": loss_critic}

    run.train(one_step, look=lambda: _look(average.network, maker, watched, out / "grid.png"))


def _given(batch: Batch, maker: Rough | None, share: float, strangers: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What the network is to mend, and the planes of the maps that it was drawn from: spoilt photos, own faces from the generator, spoilt
    gently, and at the end of the batch strangers as they are."""
    given, planes = batch.pictures, batch.planes
    through = torch.zeros(len(given), dtype=torch.bool, device=given.device)
    if maker:
        through[: round(share * (len(given) - strangers))] = True
        given = torch.where(through[:, None, None, None], maker.own(batch), given)
    given = spoilt(given, through)
    if maker and strangers:
        last = slice(len(given) - strangers, None)
        part = Batch(*(t[last] for t in (batch.pictures, batch.planes, batch.masks, batch.gaze, batch.conditions)))
        made, drawn = maker.stranger(part)
        given, planes = torch.cat([given[:-strangers], made]), torch.cat([planes[:-strangers], drawn])
    return given, planes


def _light(fake: torch.Tensor, masks: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean difference of coarse colours within the face: N x 3 x S x S each, in [-1, 1]."""
    cell = fake.shape[-1] // LIGHT_CELLS
    share = F.avg_pool2d(masks, cell)
    difference = F.avg_pool2d((fake - truth) * masks, cell)
    return difference.abs().sum() / (3 * share.sum().clamp(min=1))


def _detail(fake: torch.Tensor, given: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Mean difference of what is finer than a few pixels, within the face."""
    fine = (fake - blurred(fake, FINE)) - (given - blurred(given, FINE))
    return (fine.abs() * masks).sum() / (3 * masks.sum().clamp(min=1))


def _teach(
    critic: Discriminator, optimizer: torch.optim.Optimizer, real: torch.Tensor, fake: torch.Tensor, mask: torch.Tensor, preset: Preset, step: int
) -> torch.Tensor:
    """One step of the critic; it sees whole pictures and where the face was replaced."""
    count = len(real)
    with autocast():
        patches, whole = critic(torch.cat([real, fake]), torch.cat([mask, mask]))
    loss = hinge_critic((patches[:count], whole[:count]), (patches[count:], whole[count:]))
    value = loss.detach()
    if step % preset.r1_every == 0:
        picture = real[: count // 2].detach().requires_grad_(True)
        loss = loss + preset.r1 * preset.r1_every / 2 * r1_penalty(critic(picture, mask[: count // 2]), picture)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return value


def _look(network: nn.Module, maker: Rough | None, faces: Faces, path: Path) -> None:
    """Originals, spoilt, mended; rough strangers, mended."""
    network.eval()
    rows = np.linspace(0, len(faces.crops) - 1, 16).astype(np.int64)
    still = np.zeros(len(rows), bool)
    batch = batch_at(faces, rows, still, still)
    gentle = torch.zeros(len(rows), dtype=torch.bool, device=DEVICE)
    grid = [to_pixels(batch.pictures)]
    entries = [(spoilt(batch.pictures, gentle), batch.planes)]
    if maker:
        entries.append(maker.stranger(batch))
    for given, planes in entries:
        entry = torch.lerp(batch.pictures, given, batch.masks)
        with torch.no_grad():
            mended = torch.lerp(batch.pictures, network(entry, batch.masks, planes), batch.masks)
        grid += [to_pixels(entry), to_pixels(mended)]
    write_grid(path, grid)
