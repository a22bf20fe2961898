"""Trains LandmarkNet to see what MediaPipe's mesh saw (mesh.npy), also where the picture is spoilt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from masquerade.errors import MasqueradeError
from masquerade.faces.landmarks import (
    CONDITION,
    INNER_LIPS,
    IRIS_LEFT,
    IRIS_RIGHT,
    LEFT_CORNERS,
    LEFT_LIDS,
    MOUTH_CORNERS,
    POINTS,
    RIGHT_CORNERS,
    RIGHT_LIDS,
    condition_of,
    mirrored_points,
)
from masquerade.networks.landmarks import LandmarkNet
from masquerade.training import augmentation as augment
from masquerade.training.data import MESH, Prepared, open_prepared
from masquerade.training.loader import Arrays, batches
from masquerade.training.loop import DEVICE, Average, Budget, Losses, Run, autocast, begin_from, normalised, on_device, one_cycle, set_rate, to_tensor
from masquerade.training.mesh import LEFT_CONTOUR, RIGHT_CONTOUR
from masquerade.types import Floats, Pixels

LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
)  # fmt: skip
"""The outer and the inner edge of the lips."""

PARTS: dict[str, list[int]] = {
    "all": list(range(POINTS)),
    "lids": [*LEFT_CONTOUR, *RIGHT_CONTOUR],
    "irises": list(range(IRIS_LEFT.start, IRIS_RIGHT.stop)),
    "lips": list(LIPS),
}

SPANS = np.array([*LEFT_LIDS, *RIGHT_LIDS, *INNER_LIPS, MOUTH_CORNERS, (33, 468), (468, 133), (362, 473), (473, 263)])
"""Pairs of points whose distance is expression: lids, lips, the mouth's corners, the iris between the eye's corners."""

PIXEL = 1 / 128

LEANING, LEANING_SHARE = 0.8, 0.3
"""So far, in radians, and so often heads lean in a batch: detectors put a leaning head's eyes nearly level, and trained on small turns alone
LandmarkNet saw 0.43 rad of a lean of 0.8."""


@dataclass(frozen=True)
class Preset:
    budget: Budget
    rate: float = 2e-3
    spans: float = 2.0
    occluded: float = 0.2


PRESETS = {"cpu": Preset(Budget(36_000, 48)), "gpu": Preset(Budget(1_500_000, 128, save_every_s=40)), "paper": Preset(Budget(2_000_000, 64))}


@dataclass(frozen=True, eq=False)
class Faces:
    """Crops and what the mesh saw in them, N x 478 x 3 float16."""

    crops: NDArray[np.uint8]
    mesh: NDArray[np.float16]
    rows: dict[str, NDArray[np.int64]]


def faces_of(prepared: Prepared) -> Faces:
    """The faces that the mesh saw, by split.

    Raises:
        MasqueradeError: the folder has no mesh.npy.
    """
    path = prepared.folder / MESH
    if not path.exists():
        raise MasqueradeError(f"{prepared.folder} has no mesh.npy: run `python -m masquerade.training.mesh {prepared.folder}` first.")
    mesh = np.load(path, mmap_mode="r")
    seen = np.flatnonzero(np.isfinite(mesh[:, 0, 0]))
    return Faces(prepared.crops, mesh, {s: np.intersect1d(prepared.rows(s), seen) for s in ("train", "val", "test")})


def train(data: Path, out: Path, preset: Preset, seed: int = 0, start: Path | None = None) -> None:
    """Trains until the preset's budget is spent; `out` holds checkpoint, log and the test figures.

    Args:
        start: checkpoint of an earlier run, from whose averaged weights this one begins.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    faces = faces_of(open_prepared(data))
    network = LandmarkNet()
    network.start_from(torch.from_numpy(_examples(faces, rng)))
    network = on_device(network)
    if start:
        begin_from(start, {"network": network})
    optimizer = torch.optim.AdamW(network.parameters(), lr=preset.rate, weight_decay=1e-3)
    average = Average(network, 0.99)
    run = Run(out, preset.budget, {"network": network, "optimizer": optimizer, "average": average})
    weight = _weights()
    source = batches(_Make(data, preset.budget.batch, preset.occluded), seed)

    def one_step(step: int) -> Losses:
        set_rate(optimizer, one_cycle(run.progress))
        pictures, truth = next(source)
        network.train()
        with autocast():
            features = network.features(normalised(pictures))
        guess = network.placed(features.float())
        points = (F.smooth_l1_loss(guess, truth, beta=PIXEL, reduction="none") * weight).mean() / PIXEL
        spans = F.smooth_l1_loss(_spans(guess), _spans(truth), beta=PIXEL) / PIXEL
        optimizer.zero_grad(set_to_none=True)
        (points + preset.spans * spans).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update(network, step)
        return {"points": points, "spans": spans}

    run.train(one_step, look=lambda: print(_summary(average.network, faces, "val"), flush=True))
    print(_summary(average.network, faces, "test"), flush=True)


def _weights() -> torch.Tensor:
    """478 x 3: eyes, irises and lips count three times, depth half."""
    weight = torch.ones(POINTS, 3, device=DEVICE)
    weight[PARTS["lids"] + PARTS["irises"] + PARTS["lips"]] = 3
    weight[:, 2] *= 0.5
    return weight


def _spans(points: torch.Tensor) -> torch.Tensor:
    return points[:, SPANS[:, 1], :2] - points[:, SPANS[:, 0], :2]


def _examples(faces: Faces, rng: np.random.Generator, count: int = 3000) -> Floats:
    """Points of training faces, moved as in the batches."""
    rows = faces.rows["train"]
    rows = rng.choice(rows, min(count, len(rows)), replace=False)
    return np.stack([_laid(faces.mesh[row].astype(np.float32), _movement(rng)) for row in rows])


@cache
def _drawn_from(data: Path) -> Faces:
    return faces_of(open_prepared(data))


@dataclass(frozen=True)
class _Make:
    """Makes batches: pictures N x S x S x 3 uint8 and their points N x 478 x 3."""

    data: Path
    count: int
    occluded: float

    def __call__(self, rng: np.random.Generator) -> Arrays:
        faces = _drawn_from(self.data)
        pictures, truth = [], []
        for row in rng.choice(faces.rows["train"], self.count):
            picture, points = np.array(faces.crops[row]), faces.mesh[row].astype(np.float32)
            if rng.random() < 0.5:
                picture, points = np.ascontiguousarray(picture[:, ::-1]), mirrored_points(points)
            if rng.random() < self.occluded:
                other = faces.crops[rng.integers(len(faces.crops))]
                picture, _ = augment.occluded(picture, _face_map(points, len(picture)), other, None, rng)
            movement = _movement(rng)
            picture, points = _moved(picture, movement), _laid(points, movement)
            pictures.append(augment.as_taken(picture, rng))
            truth.append(points)
        return np.stack(pictures), np.stack(truth)


def _face_map(points: Floats, side: int) -> NDArray[np.uint8]:
    """Skin within the hull of the points: where an occluding hand finds its colour."""
    hull = cv2.convexHull(np.rint(points[:, :2] * side).astype(np.int32))
    return cv2.fillConvexPoly(np.zeros((side, side), np.uint8), hull, augment.SKIN).astype(np.uint8)


def _movement(rng: np.random.Generator) -> NDArray[np.float64]:
    """2 x 3 in shares of the side: a turn, zoom and shift as a detector's errors and moving or leaning heads bring them."""
    angle = rng.uniform(-LEANING, LEANING) if rng.random() < LEANING_SHARE else rng.normal(0, 0.12)
    scale = np.exp(rng.uniform(-0.2, 0.2))
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([linear, 0.5 - linear @ [0.5, 0.5] + rng.uniform(-0.06, 0.06, 2)])


def _moved(picture: Pixels, movement: NDArray[np.float64]) -> Pixels:
    side = len(picture)
    matrix = movement.copy()
    # From shares to centres of pixels: x_px = x * side - 0.5.
    matrix[:, 2] = movement[:, 2] * side + movement[:, :2] @ [0.5, 0.5] - 0.5
    return cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)


def _laid(points: Floats, movement: NDArray[np.float64]) -> Floats:
    flat = points[:, :2] @ movement[:, :2].T + movement[:, 2]
    return np.column_stack([flat, points[:, 2] * np.hypot(*movement[:, 0])]).astype(np.float32)


def figures(network: torch.nn.Module, faces: Faces, split: str) -> tuple[dict[str, float], dict[str, float]]:
    """How near LandmarkNet comes to the mesh on the clean crops of a split.

    Returns:
        Mean distance of every part's points in shares of the distance of the eyes; correlation of every number of the condition.
    """
    network.eval()
    rows = faces.rows[split]
    with torch.no_grad():
        parts = [network(to_tensor(faces.crops[rows[i : i + 64]])).cpu().numpy() for i in range(0, len(rows), 64)]
    guess, truth = np.concatenate(parts), faces.mesh[rows].astype(np.float32)
    between = truth[:, list(RIGHT_CORNERS), :2].mean(1) - truth[:, list(LEFT_CORNERS), :2].mean(1)
    error = np.linalg.norm(guess[..., :2] - truth[..., :2], axis=2) / np.linalg.norm(between, axis=1).clip(0.1)[:, None]
    seen, true = (np.stack([condition_of(p) for p in points]) for points in (guess, truth))
    agreement = [np.corrcoef(seen[:, i], true[:, i])[0, 1] for i in range(len(CONDITION))]
    return {name: float(error[:, part].mean()) for name, part in PARTS.items()}, dict(zip(CONDITION, map(float, agreement), strict=True))


def _summary(network: torch.nn.Module, faces: Faces, split: str) -> str:
    error, agreement = figures(network, faces, split)
    return f"{split}: error in eye distances {_listed(error)}; correlation {_listed(agreement)}"


def _listed(values: dict[str, float]) -> str:
    return " ".join(f"{k} {v:.3f}" for k, v in values.items())
