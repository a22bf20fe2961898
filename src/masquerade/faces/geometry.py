"""Faces as shapes in the plane: where they are, how they are turned, whether two are one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from masquerade.types import Face


def centre(face: Face) -> tuple[float, float]:
    """x, y of the middle of a face's box."""
    return (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2


def roll_degrees(face: Face) -> float:
    """How far a face is turned in the picture's plane.

    Returns:
        -180 to 180: 0 upright, positive when its right side (the picture's) hangs lower.
    """
    across = face.landmarks[1] - face.landmarks[0]
    down = face.landmarks[3:].mean(0) - face.landmarks[:2].mean(0)
    # The line from eye to eye and the one from eyes to mouth, turned by a right angle: in profile only the second says much.
    across = across + np.array([down[1], -down[0]])
    return float(np.degrees(np.arctan2(across[1], across[0])))


def shifted(face: Face, x: float, y: float) -> Face:
    """The face, so many pixels further right and down."""
    x0, y0, x1, y1 = face.box
    return replace(face, box=(x0 + x, y0 + y, x1 + x, y1 + y), landmarks=face.landmarks + np.array([x, y], np.float32))


def scaled(face: Face, factor: float) -> Face:
    """The face in a picture so many times as large."""
    x0, y0, x1, y1 = (v * factor for v in face.box)
    return replace(face, box=(x0, y0, x1, y1), landmarks=(face.landmarks * factor).astype(np.float32))


def moved(face: Face, matrix: NDArray[np.float64]) -> Face:
    """The face as it lies after a similarity transform, 2 x 3; its box then holds the ellipse that the old box held."""
    linear, shift = matrix[:, :2], matrix[:, 2]
    landmarks = (face.landmarks @ linear.T + shift).astype(np.float32)
    x, y = (linear @ np.array(centre(face)) + shift).tolist()
    half_w, half_h = np.hypot(*(linear * (face.width / 2, face.height / 2)).T).tolist()
    return replace(face, box=(x - half_w, y - half_h, x + half_w, y + half_h), landmarks=landmarks)


def enlarged(matrix: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """A transform, 2 x 3, followed by an enlargement in which pixels are squares: their centres lie at whole numbers before and after."""
    return np.column_stack([factor * matrix[:, :2], factor * (matrix[:, 2] + 0.5) - 0.5])


def overlap(a: Face, b: Face) -> float:
    """Intersection over union of two faces' boxes, 0 to 1."""
    width = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
    height = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / max(a.width * a.height + b.width * b.height - shared, 1e-6)


def are_one(a: Face, b: Face) -> bool:
    """Whether two detections are of one face: boxes that overlap by half, or middles closer than two heads can be."""
    apart = np.hypot(*(a.landmarks.mean(0) - b.landmarks.mean(0)))
    side = max(a.width * a.height, b.width * b.height) ** 0.5
    return bool(apart < 0.4 * side) or overlap(a, b) > 0.5


def is_part(small: Face, large: Face) -> bool:
    """Whether a detection lies on a larger face: an ear or a cheek that looks like a face of its own."""
    apart = np.subtract(centre(small), centre(large)) / (large.width / 2, large.height / 2)
    return small.width < 0.6 * large.width and bool(np.hypot(*apart) < 1)
