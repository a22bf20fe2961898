"""Trains AnonymizationNet and the TextureEncoder that reads its codes.

Most of a batch is reconstructed from its own map and code: that teaches what a code means. The rest is drawn with another person's code:
there the critic says whether it is a face, and the encoder must read the code again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from masquerade.masks import replaced_mask
from masquerade.networks.anonymization import AnonymizationNet, TextureEncoder
from masquerade.networks.discriminators import Discriminator
from masquerade.regions import SKIN
from masquerade.training.data import Prepared, open_prepared
from masquerade.training.loop import Average, Budget, Run, begin_from, flat_then_linear, set_rate, to_pixels, to_tensor, write_grid
from masquerade.training.losses import FeatureLoss, attention, hinge_critic, hinge_generator, masked_l1, r1_penalty
from masquerade.training.maps import colours, one_hot
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
    reread: float = 2.0
    r1: float = 1.0
    r1_every: int = 24
    noise: float = 0.15


PRESETS = {"cpu": Preset(Budget(150_000, 16)), "paper": Preset(Budget(12_000_000, 16), rate=1e-5, critic_rate=1e-5)}


@dataclass(frozen=True, eq=False)
class Faces:
    """What the generating networks train on: crops N x 128 x 128 x 3, merged maps (own and drawn anew), gaze N x 2, weights for drawing rows."""

    crops: NDArray[np.uint8]
    maps: NDArray[np.uint8]
    drawn: NDArray[np.uint8]
    gaze: NDArray[np.float32]
    weight: NDArray[np.float64]


def faces_of(prepared: Prepared, split: str) -> Faces:
    """The usable faces of a split; dark skin and glasses are drawn more often, gray and blurred pictures are left out."""
    shapes, rows = shapes_of(prepared, split)
    crops = np.asarray(prepared.crops[rows])
    tone, chroma, sharp = np.empty(len(rows)), np.empty(len(rows)), np.empty(len(rows))
    for index, (crop, parsing) in enumerate(zip(crops, shapes.maps, strict=True)):
        lab = cv2.cvtColor(crop, cv2.COLOR_RGB2LAB)[parsing == SKIN].astype(np.float32)
        tone[index] = lab[:, 0].mean() / 2.55 if len(lab) else 50
        chroma[index] = np.hypot(lab[:, 1] - 128, lab[:, 2] - 128).mean() if len(lab) else 0
        sharp[index] = cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.CV_32F).std()
    keep = (chroma > 6) & (sharp > np.quantile(sharp, 0.12))
    weight = np.where(tone < np.quantile(tone, 0.2), 2.0, 1.0) * np.where(shapes.conditions[:, 10] > 0, 3.0, 1.0)
    drawn = shapes.maps
    if (prepared.folder / "drawn.npy").exists():
        drawn = np.load(prepared.folder / "drawn.npy", mmap_mode="r")[rows]
    weight = weight[keep] / weight[keep].sum()
    return Faces(crops[keep], shapes.maps[keep], drawn[keep], shapes.conditions[keep, 8:10], weight)


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures in [-1, 1], own and drawn planes, masks N x 1 x S x S of both, gaze."""

    pictures: torch.Tensor
    planes: torch.Tensor
    masks: torch.Tensor
    drawn: torch.Tensor
    drawn_masks: torch.Tensor
    gaze: torch.Tensor


def batch_of(faces: Faces, count: int, rng: np.random.Generator, side: int) -> Batch:
    """Random faces, half of them mirrored, at side x side."""
    rows = rng.choice(len(faces.crops), count, p=faces.weight)
    flip = rng.random(count) < 0.5
    crops, maps, drawn, gaze = faces.crops[rows].copy(), faces.maps[rows].copy(), faces.drawn[rows].copy(), faces.gaze[rows].copy()
    crops[flip], maps[flip], drawn[flip] = crops[flip][:, :, ::-1], maps[flip][:, :, ::-1], drawn[flip][:, :, ::-1]
    gaze[flip, 0] *= -1
    masks, drawn_masks = (torch.from_numpy(np.stack([replaced_mask(m) for m in group]))[:, None] for group in (maps, drawn))
    planes = one_hot(maps)
    smooth = torch.from_numpy(rng.random(count) < SMOOTHED)[:, None, None, None]
    tensors = [to_tensor(crops), torch.where(smooth, _smoothed(planes), planes), masks, one_hot(drawn), drawn_masks]
    if side != crops.shape[1]:
        tensors = [F.avg_pool2d(t, crops.shape[1] // side).contiguous(memory_format=torch.channels_last) for t in tensors]
    pictures, own, own_masks, anew, anew_masks = tensors
    return Batch(pictures, own, own_masks, anew, anew_masks, torch.from_numpy(gaze))


def _smoothed(planes: torch.Tensor) -> torch.Tensor:
    """Maps with outlines as round as ShapeVAE draws them: halved, enlarged, and the strongest class taken."""
    side = planes.shape[-1]
    soft = F.interpolate(F.avg_pool2d(planes, 2), size=(side, side), mode="bilinear", align_corners=False)
    return F.one_hot(soft.argmax(1), planes.shape[1]).permute(0, 3, 1, 2).float()


class CodeMeans(nn.Module):
    """Running mean of every region's code: stands in where a code's person lacks a region (glasses, hidden ears, a closed mouth)."""

    def __init__(self, regions: int, numbers: int) -> None:
        super().__init__()
        self.mean: torch.Tensor
        self.register_buffer("mean", torch.zeros(regions, numbers))

    def update(self, code: torch.Tensor) -> None:
        present = (code.abs().sum(2, keepdim=True) > 0).float()
        fresh = (code.detach() * present).sum(0) / present.sum(0).clamp(min=1)
        self.mean.lerp_(fresh, 0.02 * (present.sum(0) > 0).float())

    def fill(self, code: torch.Tensor) -> torch.Tensor:
        return torch.where(code.abs().sum(2, keepdim=True) > 0, code, self.mean)


def train(data: Path, out: Path, preset: Preset, seed: int = 0, side: int = 128, start: Path | None = None) -> None:
    """Trains until the budget is spent.

    Args:
        side: 64 trains four times as fast on half the resolution; start a run at 128 from it.
        start: checkpoint of an earlier run whose networks this one begins with.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    prepared = open_prepared(data)
    faces, watched = faces_of(prepared, "train"), faces_of(prepared, "val")
    generator, encoder, critic = AnonymizationNet(), TextureEncoder(), Discriminator(14, (32, 64, 128, 160))
    means = CodeMeans(9, 32)
    for network in (generator, encoder, critic):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
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
    feature_loss = FeatureLoss()
    run = Run(out, preset.budget, {**networks, "optimizer": optimizer, "critic_optimizer": critic_optimizer})
    own = preset.budget.batch - preset.swapped

    def one_step(step: int) -> dict[str, float]:
        for o in (optimizer, critic_optimizer):
            set_rate(o, flat_then_linear(run.progress))
        batch = batch_of(faces, preset.budget.batch, rng, side)
        codes = encoder(batch.pictures, batch.planes)
        means.update(codes)
        strangers = means.fill(codes.detach().roll(own // 2, 0))[own:]
        planes, masks = batch.planes, batch.masks
        codes = torch.cat([codes[:own], strangers])
        fake = generator(planes, codes + preset.noise * torch.randn_like(codes), batch.gaze)
        half, real_half = F.avg_pool2d(planes, 2), F.avg_pool2d(batch.planes, 2)
        seen = fake * masks

        on = 1.0 if start else min(1.0, max(0.0, (step - 300) / 600))
        real = batch.pictures * batch.masks
        loss_critic = _teach(critic, critic_optimizer, real, real_half, seen.detach(), half, preset, step) if on > 0 else 0.0

        mixed = torch.lerp(batch.pictures[:own], fake[:own], masks[:own])
        with torch.no_grad():
            truth = feature_loss.features(batch.pictures[:own])
        l1 = masked_l1(fake[:own], batch.pictures[:own], masks[:own] * attention(planes[:own]))
        feature = feature_loss(mixed, truth)
        critic.requires_grad_(False)
        adversarial = hinge_generator(critic(seen, half)) if on > 0 else torch.zeros(())
        critic.requires_grad_(True)
        reread = _read_again(encoder, fake[own:], planes[own:], strangers) if preset.swapped else torch.zeros(())
        loss = preset.l1 * l1 + preset.feature * feature + on * preset.adversarial * adversarial + preset.reread * reread
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 5.0)
        optimizer.step()
        average.update(generator, step)
        encoder_average.update(encoder, step)
        return {"l1": l1.item(), "feature": feature.item(), "adversarial": adversarial.item(), "critic": loss_critic, "reread": reread.item()}

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
) -> float:
    """One step of the critic; every few steps with R1."""
    count = len(real)
    patches, whole = critic(torch.cat([real, fake]), torch.cat([real_planes, fake_planes]))
    loss = hinge_critic((patches[:count], whole[:count]), (patches[count:], whole[count:]))
    value = loss.item()
    if step % preset.r1_every == 0:
        picture = real[: count // 2].detach().requires_grad_(True)
        loss = loss + preset.r1 * preset.r1_every / 2 * r1_penalty(critic(picture, real_planes[: count // 2]), picture)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return value


def _look(generator: nn.Module, encoder: nn.Module, means: CodeMeans, faces: Faces, path: Path) -> None:
    """Originals, own map and code, own map with another code, drawn map, drawn map with another code."""
    generator.eval()
    rows = np.linspace(0, len(faces.crops) - 1, 16).astype(np.int64)
    pictures, planes, drawn = to_tensor(faces.crops[rows]), one_hot(faces.maps[rows]), one_hot(faces.drawn[rows])
    gaze = torch.from_numpy(faces.gaze[rows])

    def pasted(fake: torch.Tensor, maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
        mask = torch.from_numpy(np.stack([replaced_mask(m) for m in maps]))[:, None]
        return to_pixels(torch.lerp(pictures, fake, mask))

    with torch.no_grad():
        codes = encoder(pictures, planes)
        strangers = means.fill(codes.roll(3, 0))
        own = pasted(generator(planes, codes, gaze), faces.maps[rows])
        other = pasted(generator(planes, strangers, gaze), faces.maps[rows])
        anew = pasted(generator(drawn, strangers, gaze), faces.drawn[rows])
    write_grid(path, [faces.crops[rows], own, other, colours(faces.drawn[rows]), anew])
