"""Streams of frames, with the motion from each to the next: clips, and photos that drift and are lit ever otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from masquerade.errors import MasqueradeError
from masquerade.regions import GLASSES, INNER
from masquerade.training.data import open_prepared
from masquerade.training.faces import SMOOTHED, Batch, Faces, batch_at, batch_of
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
class Frames:
    """The frames at which streams are; how each was moved since the one before, N x 2 x S x S in pixels (what lies at p now lay at p + flow); and
    which streams begin here, N bool."""

    now: Batch
    flow: torch.Tensor
    begins: torch.Tensor


@dataclass(frozen=True)
class Drift:
    """How photos drift: spreads in pixels of 128 and in natural logarithms of light, and how much of where a photo is stays from frame to frame."""

    motion_px: float = 4.0
    light: float = 0.12
    stays: float = 0.93


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


class ClipStreams:
    """Streams that go through clips, from a random frame on to where the face is lost, or for so many frames at most.

    Args:
        clips: what `clips_of` read.
        count: of streams.
        longest: frames of one.
    """

    def __init__(self, clips: Clips, count: int, longest: int, rng: np.random.Generator) -> None:
        self._clips, self._longest, self._rng = clips, longest, rng
        self._follows = np.zeros(len(clips.flow) + 1, bool)
        self._follows[clips.later] = True
        self._rows, self._left = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self._flip, self._smooth = np.zeros(count, bool), np.zeros(count, bool)

    def step(self) -> Frames:
        """One frame on."""
        begins = (self._left <= 0) | ~self._follows[self._rows + 1]
        fresh = int(begins.sum())
        self._rows += 1
        self._left -= 1
        self._rows[begins] = self._rng.choice(self._clips.later, fresh) - 1
        self._left[begins] = self._rng.integers(1, self._longest + 1, fresh)
        self._flip[begins], self._smooth[begins] = self._rng.random(fresh) < 0.5, self._rng.random(fresh) < SMOOTHED
        flow = self._clips.flow[torch.from_numpy(self._rows).to(DEVICE)].float().permute(0, 3, 1, 2)
        mirrored = flow.flip(3) * torch.tensor([-1.0, 1.0], device=DEVICE)[:, None, None]
        flow = torch.where(torch.from_numpy(self._flip).to(DEVICE)[:, None, None, None], mirrored, flow)
        return Frames(batch_at(self._clips.faces, self._rows, self._flip, self._smooth), flow, torch.from_numpy(begins).to(DEVICE))


class PhotoStreams:
    """Streams of photos, each moved, bent and lit a little otherwise from frame to frame.

    Args:
        faces: to choose from.
        count: of streams.
        longest: frames of one.
    """

    def __init__(self, faces: Faces, count: int, longest: int, rng: np.random.Generator, drift: Drift) -> None:
        self._faces, self._longest, self._rng, self._drift = faces, longest, rng, drift
        self._photos = batch_of(faces, count, rng)
        self._left = np.zeros(count, np.int64)
        self._state = self._noise(count)
        self._away = torch.zeros(count, 2, *self._photos.pictures.shape[2:], device=DEVICE)

    def step(self) -> Frames:
        """One frame on."""
        begins = self._left <= 0
        self._left -= 1
        if begins.any():
            self._left[begins] = self._rng.integers(1, self._longest + 1, int(begins.sum()))
        starts = torch.from_numpy(begins).to(DEVICE)
        fresh, noise = batch_of(self._faces, len(begins), self._rng) if begins.any() else self._photos, self._noise(len(begins))
        self._photos = Batch(*(torch.where(_alike(starts, a), b, a) for a, b in zip(_tensors(self._photos), _tensors(fresh), strict=True)))
        stays, goes = self._drift.stays, (1 - self._drift.stays**2) ** 0.5
        self._state = [torch.where(_alike(starts, a), b, stays * a + goes * b) for a, b in zip(self._state, noise, strict=True)]
        before, self._away = self._away, self._field()
        # Now p shows the photo's p + away: before, that lay at p + flow.
        flow = torch.zeros_like(before)
        for _ in range(4):
            flow = self._away - moved(before, flow)
        photos = self._photos
        side = photos.pictures.shape[-1]
        light = F.interpolate(self._drift.light * self._state[2], size=(side, side), mode="bicubic", align_corners=False).exp()
        pictures = ((moved(photos.pictures, self._away) + 1) * light - 1).clamp(-1, 1)
        planes, masks = moved(photos.planes, self._away, "nearest"), moved(photos.masks, self._away)
        return Frames(Batch(pictures, planes, masks, photos.gaze, photos.conditions), flow, starts)

    def _noise(self, count: int) -> list[torch.Tensor]:
        """Where photos might be: affine, bent, lit."""
        field = torch.randn(count, 1, 3, 3, device=DEVICE) + 0.3 * torch.randn(count, 3, 3, 3, device=DEVICE)
        return [torch.randn(count, 2, 3, device=DEVICE), torch.randn(count, 2, 5, 5, device=DEVICE), field]

    def _field(self) -> torch.Tensor:
        """How far away what is shown lies in the photos, N x 2 x S x S in pixels."""
        side = self._photos.pictures.shape[-1]
        unit, (turn, bends, _) = side / 128 * self._drift.motion_px, self._state
        theta = torch.eye(2, 3, device=DEVICE) + torch.cat([turn[:, :, :2] * 0.03, turn[:, :, 2:] * 2 * unit / side], 2)
        affine = F.affine_grid(theta, [len(theta), 1, side, side], align_corners=False) - _grid(side)
        bent = F.interpolate(bends * 0.6 * unit, size=(side, side), mode="bicubic", align_corners=False)
        return affine.permute(0, 3, 1, 2) * (side / 2) + bent


def beside(streams: Sequence[Frames]) -> Frames:
    """Frames of several kinds in one batch."""

    def one(parts: list[torch.Tensor]) -> torch.Tensor:
        whole = torch.cat(parts)
        return whole.contiguous(memory_format=torch.channels_last) if whole.dim() == 4 else whole

    now = Batch(*(one(list(parts)) for parts in zip(*(_tensors(s.now) for s in streams), strict=True)))
    return Frames(now, one([s.flow for s in streams]), torch.cat([s.begins for s in streams]))


def _tensors(batch: Batch) -> tuple[torch.Tensor, ...]:
    return batch.pictures, batch.planes, batch.masks, batch.gaze, batch.conditions


def _alike(flags: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """N flags with as many dimensions as another tensor."""
    return flags.view(-1, *(1,) * (other.dim() - 1))


def moved(pictures: torch.Tensor, flow: torch.Tensor, mode: str = "bilinear") -> torch.Tensor:
    """N x C x S x S, at each p what lies at p + flow; flow N x 2 x S x S, x and y in pixels; mode as for `grid_sample`."""
    side = pictures.shape[-1]
    grid = _grid(side) + flow.permute(0, 2, 3, 1) * (2 / side)
    return F.grid_sample(pictures.float(), grid, mode, "border", align_corners=False)


def _grid(side: int) -> torch.Tensor:
    return F.affine_grid(torch.eye(2, 3, device=DEVICE)[None], [1, 1, side, side], align_corners=False)
