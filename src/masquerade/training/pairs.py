"""Pairs of frames, one after the other, with the motion between them: from clips, and made from photos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from masquerade.errors import MasqueradeError
from masquerade.regions import GLASSES, INNER
from masquerade.training.data import open_prepared
from masquerade.training.faces import Batch, Faces, batch_at
from masquerade.training.loop import DEVICE
from masquerade.training.shape import GLASSES_SHARE

SMALLEST_FACE = 0.12
"""Frames of which the parser calls less than this share a face are left out."""


@dataclass(frozen=True, eq=False)
class Clips:
    """Frames of clips, `later` those that have a neighbour before them; flow N x 128 x 128 x 2 float16 as in `masquerade.training.clips`."""

    faces: Faces
    flow: torch.Tensor
    later: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Frames and those before them; flow N x 2 x S x S in pixels: what lies at p now lay at p + flow."""

    now: Batch
    before: Batch
    flow: torch.Tensor


def clips_of(folder: Path) -> Clips:
    """The pairs of a folder that `masquerade train prepare-clips` wrote.

    Raises:
        MasqueradeError: it has none.
    """
    prepared = open_prepared(folder)
    if prepared.parsing is None or prepared.pose is None or not (folder / "flow.npy").exists():
        raise MasqueradeError(f"{folder} holds no clips: run `masquerade train prepare-clips --out {folder}` first.")
    maps, frame, clip = np.asarray(prepared.parsing), np.load(folder / "frame.npy"), prepared.identities
    usable = np.array([np.isin(m, INNER).mean() > SMALLEST_FACE for m in maps]) & np.isfinite(prepared.pose).all(1)
    neighbours = (clip[1:] == clip[:-1]) & (frame[1:] == frame[:-1] + 1) & usable[1:] & usable[:-1]
    later = 1 + np.flatnonzero(neighbours)
    if not len(later):
        raise MasqueradeError(f"No two frames in {folder} are neighbours.")
    glasses = ((maps == GLASSES).mean((1, 2)) > GLASSES_SHARE).astype(np.float32)
    conditions = torch.from_numpy(np.nan_to_num(np.concatenate([prepared.pose, glasses[:, None]], 1))).to(DEVICE)
    crops, placed = (torch.from_numpy(np.array(a)).to(DEVICE) for a in (prepared.crops, maps))
    made_up = torch.zeros(len(maps), dtype=torch.bool, device=DEVICE)
    faces = Faces(crops, placed, conditions[:, 8:10], conditions, made_up, np.full(len(maps), 1 / len(maps)))
    return Clips(faces, torch.from_numpy(np.load(folder / "flow.npy")).to(DEVICE), later)


def from_clips(clips: Clips, count: int, rng: np.random.Generator, smoothed: float = 0.6) -> Pairs:
    """Random neighbours of clips, half of them mirrored."""
    rows = rng.choice(clips.later, count)
    flip, smooth = rng.random(count) < 0.5, rng.random(count) < smoothed
    flow = clips.flow[torch.from_numpy(rows).to(DEVICE)].float().permute(0, 3, 1, 2)
    mirrored = flow.flip(3) * torch.tensor([-1.0, 1.0], device=DEVICE)[:, None, None]
    flow = torch.where(torch.from_numpy(flip).to(DEVICE)[:, None, None, None], mirrored, flow)
    return Pairs(batch_at(clips.faces, rows, flip, smooth), batch_at(clips.faces, rows - 1, flip, smooth), flow)


def from_photos(now: Batch, motion_px: float, light_change: float) -> Pairs:
    """Photos, and the same photos moved and lit otherwise as the frames before them.

    Args:
        motion_px: spread of the motion, in pixels of 128.
        light_change: spread of the light, in natural logarithms.
    """
    count, side = len(now.pictures), now.pictures.shape[-1]
    unit = side / 128 * motion_px
    theta = torch.eye(2, 3, device=DEVICE).repeat(count, 1, 1) + torch.randn(count, 2, 3, device=DEVICE) * 0.012
    theta[:, :, 2] = torch.randn(count, 2, device=DEVICE) * 2 * unit / side
    affine = F.affine_grid(theta, [count, 1, side, side], align_corners=False) - _grid(side)
    bends = F.interpolate(torch.randn(count, 2, 5, 5, device=DEVICE) * 0.6 * unit, size=(side, side), mode="bicubic", align_corners=False)
    away = affine.permute(0, 3, 1, 2) * (side / 2) + bends
    # The frame before shows at q what is now at q + away: what is now at p lay where q + away = p.
    flow = -away
    for _ in range(4):
        flow = -moved(away, flow)
    field = torch.randn(count, 1, 3, 3, device=DEVICE) + 0.3 * torch.randn(count, 3, 3, 3, device=DEVICE)
    light = F.interpolate(light_change * field, size=(side, side), mode="bicubic", align_corners=False).exp()
    pictures = ((moved(now.pictures, away) + 1) * light - 1).clamp(-1, 1)
    before = Batch(pictures, moved(now.planes, away, "nearest"), moved(now.masks, away), now.gaze, now.conditions)
    return Pairs(now, before, flow)


def moved(pictures: torch.Tensor, flow: torch.Tensor, mode: str = "bilinear") -> torch.Tensor:
    """N x C x S x S, at each p what lies at p + flow; flow N x 2 x S x S, x and y in pixels."""
    side = pictures.shape[-1]
    grid = _grid(side) + flow.permute(0, 2, 3, 1) * (2 / side)
    return F.grid_sample(pictures.float(), grid, mode, "border", align_corners=False)


def _grid(side: int) -> torch.Tensor:
    return F.affine_grid(torch.eye(2, 3, device=DEVICE)[None], [1, 1, side, side], align_corners=False)


def mixed(a: Pairs, b: Pairs, rng: np.random.Generator) -> Pairs:
    """Both in one random order."""
    order = torch.from_numpy(rng.permutation(len(a.flow) + len(b.flow))).to(DEVICE)

    def one(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        both = torch.cat([x, y])[order]
        return both.contiguous(memory_format=torch.channels_last) if both.dim() == 4 else both

    def batches(x: Batch, y: Batch) -> Batch:
        names = ("pictures", "planes", "masks", "gaze", "conditions")
        return Batch(*(one(getattr(x, n), getattr(y, n)) for n in names))

    return Pairs(batches(a.now, b.now), batches(a.before, b.before), one(a.flow, b.flow))
