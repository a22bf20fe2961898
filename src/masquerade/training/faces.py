"""What the generating networks train on: crops with their maps and conditions, in batches."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from masquerade.regions import SKIN
from masquerade.training.data import Prepared
from masquerade.training.loop import DEVICE, normalised
from masquerade.training.maps import one_hot, replaced_masks
from masquerade.training.shape import shapes_of

SMOOTHED = 0.6
"""Share of the maps whose outlines are made as round as ShapeVAE draws them. The drawn maps themselves are no training data: no picture
belongs to them, the critic tells them from real ones at a glance, and the generator answers with cracks and scribbles."""


DARK, DARKEST = 0.2, 0.07
"""Shares of the faces, by the lightness of their skin, that are drawn twice, and four times as often."""

TURNED, SHUT = 0.45, 0.17
"""Beyond this yaw, in radians, a head counts as turned; an eye that is open by less, in shares of its width, as shut."""

RAREST = 8.0
"""No face is drawn more often than so many times as often as others."""


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
    """The usable faces of a split; those of whom there are few are drawn more often (see `_rarity`), gray and blurred pictures are left out."""
    shapes, rows = shapes_of(prepared, split)
    crops = np.asarray(prepared.crops[rows])
    tone, chroma, sharp = _looks(prepared, rows, crops, shapes.maps)
    keep = (chroma > 6) & (sharp > np.quantile(sharp, 0.12))
    weight = _rarity(tone, shapes.conditions)[keep]
    weight /= weight.sum()
    conditions = torch.from_numpy(shapes.conditions[keep]).to(DEVICE)
    made_up = torch.from_numpy(shapes.made_up[keep]).to(DEVICE)
    kept, maps = torch.from_numpy(crops[keep]).to(DEVICE), torch.from_numpy(shapes.maps[keep]).to(DEVICE)
    return Faces(kept, maps, conditions[:, 8:10], conditions, made_up, weight)


def _rarity(tone: NDArray[np.float32], conditions: NDArray[np.float32]) -> NDArray[np.float64]:
    """How often a face is drawn: dark skin, glasses, closed eyes and turned heads are few, and were drawn worst."""
    dark = np.where(tone < np.quantile(tone, DARKEST), 4.0, np.where(tone < np.quantile(tone, DARK), 2.0, 1.0))
    turned = np.where(np.abs(conditions[:, 1]) > TURNED, 2.0, 1.0)
    shut = np.where(conditions[:, 6:8].min(1) < SHUT, 4.0, 1.0)
    glasses = np.where(conditions[:, 10] > 0, 3.0, 1.0)
    return np.asarray(np.minimum(dark * turned * shut * glasses, RAREST))


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
