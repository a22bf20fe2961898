"""Trains HarmonizationNet on the proxy task: give the photo back after its face was spoilt.

A share of the spoilt faces went through AnonymizationNet with their own map and code: no identity changes, but roughness is of the very
kind that this network will have to mend.
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
from masquerade.training.anonymization import Batch, CodeMeans, Faces, batch_of, faces_of
from masquerade.training.data import open_prepared
from masquerade.training.loop import Average, Budget, Run, begin_from, flat_then_linear, set_rate, to_pixels, to_tensor, write_grid
from masquerade.training.losses import FeatureLoss, attention, hinge_critic, hinge_generator, masked_l1, r1_penalty
from masquerade.training.proxy import spoilt


@dataclass(frozen=True)
class Preset:
    budget: Budget
    rate: float = 3e-4
    critic_rate: float = 4e-4
    l1: float = 4.0
    feature: float = 1.0
    adversarial: float = 0.15
    r1: float = 1.0
    r1_every: int = 24
    through_generator: float = 0.6


PRESETS = {"cpu": Preset(Budget(150_000, 12)), "paper": Preset(Budget(12_000_000, 12), rate=1e-5, critic_rate=1e-5)}


class Rough:
    """AnonymizationNet and its encoder, frozen, from a run's checkpoint: makes rough faces of photos with their own codes."""

    def __init__(self, checkpoint: Path) -> None:
        state = torch.load(checkpoint, weights_only=True)["parts"]
        self.generator, self.encoder, self.means = AnonymizationNet(), TextureEncoder(), CodeMeans(9, 32)
        self.generator.load_state_dict(state["average"])
        self.encoder.load_state_dict(state["encoder_average"])
        self.means.load_state_dict(state["means"])
        for network in (self.generator, self.encoder):
            network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def own(self, batch: Batch, noise: float = 0.15) -> torch.Tensor:
        """The pictures of a batch, through the generator with their own map and code."""
        code = self.encoder(batch.pictures, batch.planes)
        made: torch.Tensor = self.generator(batch.planes, code + noise * torch.randn_like(code), batch.gaze)
        return made

    @torch.no_grad()
    def stranger(self, batch: Batch) -> torch.Tensor:
        """New faces: the drawn map and the code of the batch's neighbour."""
        code = self.means.fill(self.encoder(batch.pictures, batch.planes).roll(1, 0))
        made: torch.Tensor = self.generator(batch.drawn, code, batch.gaze)
        return made


def train(data: Path, out: Path, preset: Preset, rough: Path | None, seed: int = 0, side: int = 128, start: Path | None = None) -> None:
    """Trains until the budget is spent.

    Args:
        rough: checkpoint of an AnonymizationNet run; None trains on spoilt photos alone.
        side: 64 or 128, as for AnonymizationNet.
        start: checkpoint of an earlier run whose networks this one begins with.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    prepared = open_prepared(data)
    faces, watched = faces_of(prepared, "train"), faces_of(prepared, "val")
    maker = Rough(rough) if rough else None
    network, critic = HarmonizationNet(), Discriminator(1, (32, 64, 128, 160))
    for part in (network, critic):
        part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(network.parameters(), lr=preset.rate, betas=(0.5, 0.95))
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=preset.critic_rate, betas=(0.5, 0.95))
    average = Average(network)
    networks: dict[str, nn.Module | Average] = {"network": network, "critic": critic, "average": average}
    if start:
        begin_from(start, networks)
    run = Run(out, preset.budget, {**networks, "optimizer": optimizer, "critic_optimizer": critic_optimizer})
    feature_loss = FeatureLoss()

    def one_step(step: int) -> dict[str, float]:
        for o in (optimizer, critic_optimizer):
            set_rate(o, flat_then_linear(run.progress))
        batch = batch_of(faces, preset.budget.batch, rng, side)
        given = _rough_faces(batch, maker, preset.through_generator, rng)
        entry = torch.lerp(batch.pictures, given, batch.masks)
        fake = torch.lerp(batch.pictures, network(entry, batch.masks, batch.planes), batch.masks)
        half = F.avg_pool2d(batch.masks, 2)
        on = 1.0 if start else min(1.0, max(0.0, (step - 300) / 600))
        loss_critic = _teach(critic, critic_optimizer, batch.pictures, fake.detach(), half, preset, step) if on > 0 else 0.0
        with torch.no_grad():
            truth = feature_loss.features(batch.pictures)
        l1 = masked_l1(fake, batch.pictures, batch.masks * attention(batch.planes))
        feature = feature_loss(fake, truth)
        critic.requires_grad_(False)
        adversarial = hinge_generator(critic(fake, half)) if on > 0 else torch.zeros(())
        critic.requires_grad_(True)
        loss = preset.l1 * l1 + preset.feature * feature + on * preset.adversarial * adversarial
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update(network, step)
        return {"l1": l1.item(), "feature": feature.item(), "adversarial": adversarial.item(), "critic": loss_critic}

    run.train(one_step, look=lambda: _look(average.network, maker, watched, out / "grid.png"))


def _rough_faces(batch: Batch, maker: Rough | None, share: float, rng: np.random.Generator) -> torch.Tensor:
    """Spoilt faces of a batch; some of them from the generator, then only gently spoilt."""
    pixels = to_pixels(batch.pictures)
    through = np.zeros(len(pixels), bool)
    if maker:
        through[: round(share * len(pixels))] = True
        pixels[through] = to_pixels(maker.own(batch))[through]
    return to_tensor(np.stack([spoilt(p, rng, gentle=bool(t)) for p, t in zip(pixels, through, strict=True)]))


def _teach(
    critic: Discriminator, optimizer: torch.optim.Optimizer, real: torch.Tensor, fake: torch.Tensor, mask: torch.Tensor, preset: Preset, step: int
) -> float:
    """One step of the critic; it sees whole pictures and where the face was replaced."""
    count = len(real)
    patches, whole = critic(torch.cat([real, fake]), torch.cat([mask, mask]))
    loss = hinge_critic((patches[:count], whole[:count]), (patches[count:], whole[count:]))
    value = loss.item()
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
    rng = np.random.default_rng(1)
    batch = batch_of(faces, 16, rng, 128)
    rows = [to_pixels(batch.pictures)]
    entries = [(_rough_faces(batch, None, 0.0, rng), batch.masks, batch.planes)]
    if maker:
        entries.append((maker.stranger(batch), batch.drawn_masks, batch.drawn))
    for given, mask, planes in entries:
        entry = torch.lerp(batch.pictures, given, mask)
        with torch.no_grad():
            mended = torch.lerp(batch.pictures, network(entry, mask, planes), mask)
        rows += [to_pixels(entry), to_pixels(mended)]
    write_grid(path, rows)
