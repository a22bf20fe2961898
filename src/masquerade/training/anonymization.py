"""Trains AnonymizationNet and the TextureEncoder that reads its codes.

Most of a batch is reconstructed from its own map and code: that teaches what a code means, and IdentityNet watches that it means the
person (paper, section 3.1). The rest may be drawn with another person's code: there the critic says whether it is a face, and the encoder
must read the code again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from masquerade.networks.anonymization import AnonymizationNet, TextureEncoder
from masquerade.networks.discriminators import Discriminator
from masquerade.networks.identity import IdentityNet
from masquerade.regions import MERGED, SKIN
from masquerade.training.data import Prepared, open_prepared
from masquerade.training.loop import (
    DEVICE,
    Average,
    Budget,
    Losses,
    Run,
    autocast,
    begin_from,
    flat_then_linear,
    normalised,
    on_device,
    set_rate,
    to_pixels,
    write_grid,
)
from masquerade.training.losses import FeatureLoss, attention, hinge_critic, hinge_generator, masked_l1, r1_penalty
from masquerade.training.maps import one_hot, replaced_masks
from masquerade.training.shape import shapes_of

SMOOTHED = 0.6
"""Share of the maps whose outlines are made as round as ShapeVAE draws them. The drawn maps themselves are no training data: no picture
belongs to them, the critic tells them from real ones at a glance, and the generator answers with cracks and scribbles."""


@dataclass(frozen=True)
class Preset:
    """How AnonymizationNet is trained.

    `swapped` pictures of each batch are drawn with strangers' codes; no true picture belongs to them, and with this critic they teach cracks
    rather than faces (docs/training-log.md), so there are none by default.
    """

    budget: Budget
    swapped: int = 0
    rate: float = 2.5e-4
    critic_rate: float = 4e-4
    l1: float = 4.0
    feature: float = 1.0
    adversarial: float = 0.25
    identity: float = 1.0
    reread: float = 2.0
    r1: float = 1.0
    r1_every: int = 24
    noise: float = 0.15


PRESETS = {
    "cpu": Preset(Budget(150_000, 16)),
    "gpu": Preset(Budget(1_000_000, 64, save_every_s=40), rate=4e-4, critic_rate=4e-4, r1_every=16),
    "paper": Preset(Budget(12_000_000, 16), rate=1e-5, critic_rate=1e-5),
}


@dataclass(frozen=True, eq=False)
class Faces:
    """What the generating networks train on, on the training device: crops N x 128 x 128 x 3 and merged maps N x 128 x 128, uint8; gaze
    N x 2; conditions N x 11; how often each row is drawn."""

    crops: torch.Tensor
    maps: torch.Tensor
    gaze: torch.Tensor
    conditions: torch.Tensor
    made_up: torch.Tensor
    weight: NDArray[np.float64]


def faces_of(prepared: Prepared, split: str) -> Faces:
    """The usable faces of a split; dark skin and glasses are drawn more often, gray and blurred pictures are left out."""
    shapes, rows = shapes_of(prepared, split)
    crops = np.asarray(prepared.crops[rows])
    tone, chroma, sharp = _looks(prepared, rows, crops, shapes.maps)
    keep = (chroma > 6) & (sharp > np.quantile(sharp, 0.12))
    weight = np.where(tone < np.quantile(tone, 0.2), 2.0, 1.0) * np.where(shapes.conditions[:, 10] > 0, 3.0, 1.0)
    weight = weight[keep] / weight[keep].sum()
    conditions = torch.from_numpy(shapes.conditions[keep]).to(DEVICE)
    made_up = torch.from_numpy(shapes.made_up[keep]).to(DEVICE)
    kept, maps = torch.from_numpy(crops[keep]).to(DEVICE), torch.from_numpy(shapes.maps[keep]).to(DEVICE)
    return Faces(kept, maps, conditions[:, 8:10], conditions, made_up, weight)


def _looks(prepared: Prepared, rows: NDArray[np.int64], crops: NDArray[np.uint8], maps: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Lightness and chroma of the skin, and sharpness: 3 x N; read from looks.npy where that was written once for all crops."""
    if (prepared.folder / "looks.npy").exists():
        return np.asarray(np.load(prepared.folder / "looks.npy")[rows].T, np.float32)
    found = np.empty((3, len(rows)), np.float32)
    for index, (crop, parsing) in enumerate(zip(crops, maps, strict=True)):
        lab = cv2.cvtColor(crop, cv2.COLOR_RGB2LAB)[parsing == SKIN].astype(np.float32)
        found[0, index] = lab[:, 0].mean() / 2.55 if len(lab) else 50
        found[1, index] = np.hypot(lab[:, 1] - 128, lab[:, 2] - 128).mean() if len(lab) else 0
        found[2, index] = cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.CV_32F).std()
    return found


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures in [-1, 1], their planes, masks N x 1 x S x S, gaze N x 2, conditions N x 11."""

    pictures: torch.Tensor
    planes: torch.Tensor
    masks: torch.Tensor
    gaze: torch.Tensor
    conditions: torch.Tensor


def batch_of(faces: Faces, count: int, rng: np.random.Generator, side: int = 128, smoothed: float = SMOOTHED) -> Batch:
    """Random faces, half of them mirrored, at side x side."""
    rows = rng.choice(len(faces.crops), count, p=faces.weight)
    return batch_at(faces, rows, rng.random(count) < 0.5, rng.random(count) < smoothed, side)


def batch_at(faces: Faces, rows: NDArray[np.int64], flip: NDArray[np.bool_], smooth: NDArray[np.bool_], side: int = 128) -> Batch:
    """Chosen faces, some mirrored, some with rounded outlines."""
    index = torch.from_numpy(rows).to(DEVICE)
    mirrored, rounded = (torch.from_numpy(b).to(DEVICE)[:, None, None] for b in (flip, smooth))
    crops, maps = faces.crops[index], faces.maps[index]
    crops = torch.where(mirrored[..., None], crops.flip(2), crops)
    maps = torch.where(mirrored, maps.flip(2), maps)
    conditions = torch.where(mirrored[:, 0], mirrored_conditions(faces.conditions[index]), faces.conditions[index])
    planes = one_hot(maps)
    masks = replaced_masks(planes)
    tensors = [normalised(crops), torch.where(rounded[..., None], _smoothed(planes), planes), masks]
    if side != crops.shape[1]:
        tensors = [F.avg_pool2d(t, crops.shape[1] // side).contiguous(memory_format=torch.channels_last) for t in tensors]
    pictures, planes, masks = tensors
    return Batch(pictures, planes, masks, conditions[:, 8:10], conditions)


def mirrored_conditions(conditions: torch.Tensor) -> torch.Tensor:
    """N x 11: as `landmarks.mirrored_condition`, with the number for glasses left as it is."""
    order = [0, 1, 2, 3, 4, 5, 7, 6, 8, 9, 10]
    sign = torch.tensor([1, -1, -1, 1, 1, 1, 1, 1, -1, 1, 1], device=conditions.device, dtype=conditions.dtype)
    return conditions[:, order] * sign


def _smoothed(planes: torch.Tensor) -> torch.Tensor:
    """Maps with outlines as round as ShapeVAE draws them: halved, enlarged, and the strongest class taken."""
    side = planes.shape[-1]
    soft = F.interpolate(F.avg_pool2d(planes, 2), size=(side, side), mode="bilinear", align_corners=False)
    return one_hot(soft.argmax(1))


class CodeMeans(nn.Module):
    """Running mean of every region's code: stands in where a code's person lacks a region (glasses, hidden ears, a closed mouth)."""

    def __init__(self, regions: int, numbers: int) -> None:
        super().__init__()
        self.mean: torch.Tensor
        self.register_buffer("mean", torch.zeros(regions, numbers))

    def update(self, code: torch.Tensor) -> None:
        code = code.detach().float()
        present = (code.abs().sum(2, keepdim=True) > 0).float()
        fresh = (code * present).sum(0) / present.sum(0).clamp(min=1)
        self.mean.lerp_(fresh, 0.02 * (present.sum(0) > 0).float())

    def fill(self, code: torch.Tensor) -> torch.Tensor:
        return torch.where(code.abs().sum(2, keepdim=True) > 0, code.float(), self.mean)


Guide = Callable[[torch.Tensor], torch.Tensor]


def identity_guide(checkpoint: Path) -> Guide:
    """A trained IdentityNet, frozen: pictures N x 3 x S x S in [-1, 1] to unit vectors."""
    network = on_device(IdentityNet())
    parts = torch.load(checkpoint, weights_only=True, map_location=DEVICE)["parts"]
    network.load_state_dict(parts["average"])
    return network.eval().requires_grad_(False)


def train(data: Path, out: Path, preset: Preset, seed: int = 0, side: int = 128, start: Path | None = None, guide: Path | None = None) -> None:
    """Trains until the budget is spent.

    Args:
        side: 64 trains four times as fast on half the resolution; start a run at 128 from it.
        start: checkpoint of an earlier run whose networks this one begins with.
        guide: checkpoint of an IdentityNet run: what is drawn with a person's own code must look like the person to it.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    prepared = open_prepared(data)
    faces, watched = faces_of(prepared, "train"), faces_of(prepared, "val")
    generator, encoder = on_device(AnonymizationNet()), on_device(TextureEncoder())
    critic, means = on_device(Discriminator(len(MERGED), (32, 64, 128, 160))), on_device(CodeMeans(9, 32))
    learned = [*generator.parameters(), *encoder.parameters()]
    optimizer = torch.optim.Adam(learned, lr=preset.rate, betas=(0.5, 0.95))
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=preset.critic_rate, betas=(0.5, 0.95))
    average, encoder_average = Average(generator), Average(encoder)
    networks: dict[str, nn.Module | Average] = {
        "generator": generator,
        "encoder": encoder,
        "critic": critic,
        "means": means,
        "average": average,
        "encoder_average": encoder_average,
    }
    if start:
        begin_from(start, networks)
    feature_loss = on_device(FeatureLoss())
    identity = identity_guide(guide) if guide else None
    run = Run(out, preset.budget, {**networks, "optimizer": optimizer, "critic_optimizer": critic_optimizer})
    own = preset.budget.batch - preset.swapped

    def one_step(step: int) -> Losses:
        for o in (optimizer, critic_optimizer):
            set_rate(o, flat_then_linear(run.progress))
        batch = batch_of(faces, preset.budget.batch, rng, side)
        with autocast():
            codes = encoder(batch.pictures, batch.planes)
            means.update(codes)
            strangers = means.fill(codes.detach().roll(own // 2, 0))[own:]
            planes, masks = batch.planes, batch.masks
            codes = torch.cat([codes[:own], strangers])
            fake = generator(planes, codes + preset.noise * torch.randn_like(codes), batch.gaze)
        fake = fake.float()
        half, real_half = F.avg_pool2d(planes, 2), F.avg_pool2d(batch.planes, 2)
        seen = fake * masks

        on = 1.0 if start else min(1.0, max(0.0, (step - 300) / 600))
        real = batch.pictures * batch.masks
        loss_critic = _teach(critic, critic_optimizer, real, real_half, seen.detach(), half, preset, step) if on > 0 else 0.0

        mixed = torch.lerp(batch.pictures[:own], fake[:own], masks[:own])
        l1 = masked_l1(fake[:own], batch.pictures[:own], masks[:own] * attention(planes[:own]))
        critic.requires_grad_(False)
        with autocast():
            with torch.no_grad():
                truth = feature_loss.features(batch.pictures[:own])
                person = identity(batch.pictures[:own]) if identity else None
            feature = feature_loss(mixed, truth)
            same = (1 - F.cosine_similarity(identity(mixed).float(), person.float())).mean() if identity and person is not None else 0.0
            adversarial = hinge_generator(critic(seen, half)) if on > 0 else torch.zeros((), device=DEVICE)
        critic.requires_grad_(True)
        reread = _read_again(encoder, fake[own:], planes[own:], strangers) if preset.swapped else 0.0
        loss = preset.l1 * l1 + preset.feature * feature + on * preset.adversarial * adversarial + preset.reread * reread + preset.identity * same
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 5.0)
        optimizer.step()
        average.update(generator, step)
        encoder_average.update(encoder, step)
        return {"l1": l1, "feature": feature, "identity": same, "adversarial": adversarial, "critic": loss_critic, "reread": reread}

    run.train(one_step, look=lambda: _look(average.network, encoder_average.network, means, watched, out / "grid.png"))


def _read_again(encoder: TextureEncoder, fake: torch.Tensor, planes: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Mean distance of the codes that the encoder reads from new faces to those that they were drawn with."""
    again = encoder(fake, planes)
    present = (again.detach().abs().sum(2, keepdim=True) > 0).float()
    distance: torch.Tensor = ((again - codes).abs() * present).mean()
    return distance


def _teach(
    critic: Discriminator,
    optimizer: torch.optim.Optimizer,
    real: torch.Tensor,
    real_planes: torch.Tensor,
    fake: torch.Tensor,
    fake_planes: torch.Tensor,
    preset: Preset,
    step: int,
) -> torch.Tensor:
    """One step of the critic; every few steps with R1."""
    count = len(real)
    with autocast():
        patches, whole = critic(torch.cat([real, fake]), torch.cat([real_planes, fake_planes]))
    patches, whole = patches.float(), whole.float()
    loss = hinge_critic((patches[:count], whole[:count]), (patches[count:], whole[count:]))
    value = loss.detach()
    if step % preset.r1_every == 0:
        picture = real[: count // 2].detach().requires_grad_(True)
        loss = loss + preset.r1 * preset.r1_every / 2 * r1_penalty(critic(picture, real_planes[: count // 2]), picture)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return value


def _look(generator: nn.Module, encoder: nn.Module, means: CodeMeans, faces: Faces, path: Path) -> None:
    """Originals, own map and code, own map with two other people's codes."""
    generator.eval()
    rows = np.linspace(0, len(faces.crops) - 1, 16).astype(np.int64)
    still = np.zeros(len(rows), bool)
    batch = batch_at(faces, rows, still, still)
    with torch.no_grad():
        codes = encoder(batch.pictures, batch.planes)
        drawn = [codes, means.fill(codes.roll(3, 0)), means.fill(codes.roll(7, 0))]
        made = [torch.lerp(batch.pictures, generator(batch.planes, code, batch.gaze), batch.masks) for code in drawn]
    write_grid(path, [to_pixels(p) for p in (batch.pictures, *made)])
