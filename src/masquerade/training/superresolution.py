"""Trains SuperResolutionNet on photos that hold the detail of 512 x 512 crops: shrunk to 128 x 128 they must come back.

Some photos are made soft or grainy first, so that the network learns to look at the surroundings for how much detail belongs there. Half of
the small faces went through AnonymizationNet and HarmonizationNet with their own map and code: what those leave unclear, it shall make clear.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from masquerade.errors import MasqueradeError
from masquerade.networks.discriminators import Discriminator
from masquerade.networks.harmonization import HarmonizationNet
from masquerade.networks.superresolution import FACTOR, SuperResolutionNet, enlarged
from masquerade.regions import INNER
from masquerade.training.adversarial import AdversarialPreset, teach
from masquerade.training.data import open_prepared
from masquerade.training.faces import Batch
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
from masquerade.training.losses import FeatureLoss, attention, judged, masked_l1
from masquerade.training.maps import one_hot, replaced_masks
from masquerade.training.proxy import blurred
from masquerade.training.rough import Rough

SMALLEST_FACE = 0.12
"""Crops of which the parser calls less than this share a face are left out."""


@dataclass(frozen=True)
class Preset(AdversarialPreset):
    """`soft`, `grainy`: shares of photos that are blurred or get noise before anything else; `through_generator`: share of the small faces
    that were drawn by AnonymizationNet and HarmonizationNet, mixed with the true ones."""

    critic_rate: float = 3e-4
    r1_every: int = 16
    same: float = 4.0
    soft: float = 0.35
    grainy: float = 0.3
    through_generator: float = 0.5


PRESETS = {"cpu": Preset(Budget(20_000, 4)), "gpu": Preset(Budget(200_000, 16, save_every_s=40)), "paper": Preset(Budget(1_000_000, 8))}


@dataclass(frozen=True, eq=False)
class _LargeFaces:
    """Crops N x 4S x 4S x 3 uint8, merged maps N x S x S uint8 and gaze N x 2, all in the computer's memory."""

    crops: NDArray[np.uint8]
    maps: NDArray[np.uint8]
    gaze: NDArray[np.float32]

    def batch(self, rows: NDArray[np.int64], flip: NDArray[np.bool_]) -> Batch:
        """Chosen faces, some mirrored: large pictures, but planes and masks at S; no conditions but the gaze."""
        crops, maps, gaze = (torch.from_numpy(a[rows]).to(DEVICE, non_blocking=True) for a in (self.crops, self.maps, self.gaze))
        mirrored = torch.from_numpy(flip).to(DEVICE)
        pictures = normalised(torch.where(mirrored[:, None, None, None], crops.flip(2), crops))
        planes = one_hot(torch.where(mirrored[:, None, None], maps.flip(2), maps))
        gaze = torch.where(mirrored[:, None], gaze * torch.tensor([-1.0, 1.0], device=DEVICE), gaze)
        return Batch(pictures, planes, replaced_masks(planes), gaze, gaze)


def _faces_of(data: Path, split: str) -> _LargeFaces:
    prepared = open_prepared(data)
    rows = prepared.rows(split)
    side = prepared.crops.shape[1]
    if prepared.parsing is None or side != FACTOR * prepared.parsing.shape[1]:
        raise MasqueradeError(f"{data} holds no large crops: run `masquerade train prepare --side 512 --out {data}` first.")
    rows = rows[np.isin(prepared.parsing[rows], INNER).mean((1, 2)) > SMALLEST_FACE]
    gaze = np.zeros((len(rows), 2), np.float32) if prepared.pose is None else np.nan_to_num(prepared.pose[rows, 8:10])
    return _LargeFaces(prepared.crops[rows], np.asarray(prepared.parsing[rows]), gaze)


class _Drawn:
    """AnonymizationNet and HarmonizationNet, frozen: draw faces as they will be at work, with their own map and code."""

    def __init__(self, rough: Path, harmonization: Path) -> None:
        self._rough, self._network = Rough(rough), on_device(HarmonizationNet())
        state = torch.load(harmonization, weights_only=True, map_location=DEVICE)["parts"]["average"]
        self._network.load_state_dict(state)
        self._network.eval()

    @torch.no_grad()
    def __call__(self, small: Batch) -> torch.Tensor:
        made = self._rough.own(small)
        with autocast():
            mended = self._network(torch.lerp(small.pictures, made, small.masks), small.masks, small.planes)
        return torch.as_tensor(mended).float()


def train(
    data: Path,
    out: Path,
    preset: Preset,
    rough: Path | None = None,
    harmonization: Path | None = None,
    seed: int = 0,
    start: Path | None = None,
) -> None:
    """Trains until the budget is spent.

    Args:
        data: folder that `masquerade train prepare --side 512` wrote.
        rough, harmonization: checkpoints of runs whose faces are to be made clear; None trains on shrunk photos alone.
        start: checkpoint of an earlier run whose networks this one begins with.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    faces, watched = _faces_of(data, "train"), _faces_of(data, "val")
    drawn = _Drawn(rough, harmonization) if rough and harmonization else None
    network, critic = on_device(SuperResolutionNet()), on_device(Discriminator(1, (32, 64, 128, 160)))
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
        count = preset.budget.batch
        batch = faces.batch(rng.integers(len(faces.maps), size=count), rng.random(count) < 0.5)
        large = _as_other_cameras_see(batch.pictures, preset)
        small = replace(batch, pictures=F.avg_pool2d(large, FACTOR))
        given = _given(small, drawn, preset.through_generator)
        masks, wide = small.masks, enlarged(small.masks)
        with autocast():
            detailed = network(torch.lerp(small.pictures, given, masks), masks, large * (wide == 0))
        fake = torch.lerp(large, detailed.float(), wide)
        half = F.avg_pool2d(wide, 2)
        on = 1.0 if start else min(1.0, max(0.0, (step - 300) / 600))
        loss_critic = teach(critic, critic_optimizer, large, fake.detach(), half, preset, step) if on > 0 else 0.0
        l1 = masked_l1(fake, large, wide * enlarged(attention(small.planes)))
        same = masked_l1(F.avg_pool2d(detailed.float(), FACTOR), given, masks)
        feature, adversarial = judged(feature_loss, critic, fake, large, half, on > 0)
        loss = preset.l1 * l1 + preset.same * same + preset.feature * feature + on * preset.adversarial * adversarial
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update(network, step)
        return {"l1": l1, "same": same, "feature": feature, "adversarial": adversarial, "critic": loss_critic}

    run.train(one_step, look=lambda: _look(average.network, drawn, watched, out / "grid.png"))


def _as_other_cameras_see(large: torch.Tensor, preset: Preset) -> torch.Tensor:
    """Some of the photos softer, some with grain, all in slightly other light."""
    shares = torch.rand(2, len(large), 1, 1, 1, device=large.device)
    how_soft = torch.rand(len(large), 1, 1, 1, device=large.device)
    soft = torch.lerp(blurred(large, 0.8), blurred(large, 3.0), how_soft)
    large = torch.where(shares[0] < preset.soft, soft, large)
    light = (0.15 * torch.randn(len(large), 1, 1, 1, device=large.device) + 0.05 * torch.randn(len(large), 3, 1, 1, device=large.device)).exp()
    large = (large + 1) * light - 1
    grain = torch.randn_like(large[:, :1]) * (0.01 + 0.06 * torch.rand(len(large), 1, 1, 1, device=large.device))
    return torch.where(shares[1] < preset.grainy, large + grain, large).clamp(-1, 1)


def _given(small: Batch, drawn: _Drawn | None, share: float) -> torch.Tensor:
    """Small faces as they come: a little soft, some of them drawn, mixed with the true ones."""
    count, device = len(small.pictures), small.pictures.device
    given = torch.lerp(small.pictures, blurred(small.pictures, 0.8), torch.rand(count, 1, 1, 1, device=device))
    if drawn:
        much = 0.3 + 0.7 * torch.rand(count, 1, 1, 1, device=device)
        chosen = (torch.rand(count, 1, 1, 1, device=device) < share).float()
        given = torch.lerp(given, drawn(small), much * chosen)
    return given


def _look(network: nn.Module, drawn: _Drawn | None, faces: _LargeFaces, path: Path) -> None:
    """Originals; shrunk and enlarged smoothly; with detail; drawn faces, smooth and with detail."""
    rows = np.linspace(0, len(faces.maps) - 1, 6).astype(np.int64)
    batch = faces.batch(rows, np.zeros(len(rows), bool))
    large, wide = batch.pictures, enlarged(batch.masks)
    small = replace(batch, pictures=F.avg_pool2d(large, FACTOR))
    grid = [to_pixels(large)]
    for given in [small.pictures, *([drawn(small)] if drawn else [])]:
        with torch.no_grad():
            detailed = network(torch.lerp(small.pictures, given, small.masks), small.masks, large * (wide == 0))
        grid += [to_pixels(torch.lerp(large, enlarged(given), wide)), to_pixels(torch.lerp(large, detailed, wide))]
    write_grid(path, grid)
