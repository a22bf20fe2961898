"""Pose and expression as LandmarkNet reads them, so that what is drawn can be made to show what was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from masquerade.faces.landmarks import (
    INNER_LIPS,
    IRIS_LEFT,
    IRIS_RIGHT,
    LEFT_CORNERS,
    LEFT_LIDS,
    MOUTH_CORNERS,
    RIGHT_CORNERS,
    RIGHT_LIDS,
    condition_of,
    mesh_constants,
    similarity_between,
)
from masquerade.networks.landmarks import LandmarkNet
from masquerade.training.loop import DEVICE, on_device

MOVING = slice(3, 10)
"""Those of the ten numbers of `condition_of` that are not pose: mouth, eyes, gaze."""


class Expressions:
    """LandmarkNet, frozen, from a run's checkpoint."""

    def __init__(self, checkpoint: Path) -> None:
        self._network = on_device(LandmarkNet())
        self._network.load_state_dict(torch.load(checkpoint, weights_only=True, map_location=DEVICE)["parts"]["average"])
        self._network.eval().requires_grad_(False)

    @torch.no_grad()
    def asked(self, pictures: torch.Tensor) -> torch.Tensor:
        """All ten numbers, as they are asked for at work: N x 3 x 128 x 128 to N x 10."""
        points = self._network(pictures).float().cpu().numpy()
        return torch.from_numpy(np.stack([condition_of(p) for p in points])).to(pictures.device)

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """Mouth, eyes and gaze of canonical crops: N x 3 x 128 x 128 in [-1, 1] to N x 7, the numbers `MOVING` of `condition_of`."""
        return moving(self._network(pictures).float())


def moving(points: torch.Tensor) -> torch.Tensor:
    """As the last seven numbers of `masquerade.faces.landmarks.condition_of`, of N x 478 x 3 points; how the head is held counts as known."""
    constants = mesh_constants()
    rigid, mean = constants["rigid"], constants["mean"]
    found = [similarity_between(mean[rigid], p[rigid]) for p in points.detach().cpu().numpy()]
    undone = torch.from_numpy(np.stack([rotation / scale for rotation, scale in found]).astype(np.float32)).to(points.device)
    q = points @ undone
    upper, lower = (q[:, [pair[k] for pair in INNER_LIPS], 1].mean(1) for k in (0, 1))
    left, right = q[:, MOUTH_CORNERS[0]], q[:, MOUTH_CORNERS[1]]
    eyes = [_opening(q, LEFT_CORNERS, LEFT_LIDS), _opening(q, RIGHT_CORNERS, RIGHT_LIDS)]
    mouth = [(lower - upper).clamp(min=0), (right - left).norm(dim=1), (upper + lower) / 2 - (left[:, 1] + right[:, 1]) / 2]
    return torch.stack([*mouth, *eyes, *_gaze(points)], 1)


def _opening(q: torch.Tensor, corners: tuple[int, int], lids: tuple[tuple[int, int], ...]) -> torch.Tensor:
    gap = torch.stack([q[:, lower, 1] - q[:, upper, 1] for upper, lower in lids]).mean(0)
    opening: torch.Tensor = gap.clamp(min=0) / (q[:, corners[1]] - q[:, corners[0]]).norm(dim=1).clamp(min=1e-6)
    return opening


def _gaze(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x, y, weights = torch.zeros(3, len(points), device=points.device)
    for corners, iris in ((LEFT_CORNERS, IRIS_LEFT), (RIGHT_CORNERS, IRIS_RIGHT)):
        a, b = points[:, corners[0], :2], points[:, corners[1], :2]
        along, seen = b - a, points[:, iris, :2].mean(1) - (a + b) / 2
        x = x + (seen * along).sum(1)
        y = y + along[:, 0] * seen[:, 1] - along[:, 1] * seen[:, 0]
        weights = weights + along.square().sum(1)
    weights = weights.clamp(min=1e-9)
    return (x / weights).clamp(-0.5, 0.5), (y / weights).clamp(-0.5, 0.5)
