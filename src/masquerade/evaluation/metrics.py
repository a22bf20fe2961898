"""The figures themselves: plain functions of pixels, boxes and vectors."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.types import Box, Face, Floats, Pixels


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / max((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared, 1e-9)


def change_inside(original: Pixels, output: Pixels, box: Box) -> float:
    """Mean absolute difference inside a box, in grey levels."""
    window = _window(box)
    return float(np.abs(original[window].astype(np.int16) - output[window]).mean())


def change_outside(original: Pixels, output: Pixels, faces: Sequence[Face]) -> float:
    """Mean absolute difference outside all boxes, in grey levels; boxes enlarged by 0.6 of their sides, by 0.5 downwards."""
    outside = np.ones(original.shape[:2], np.bool_)
    for face in faces:
        x0, y0, x1, y1 = face.box
        outside[_window((x0 - 0.6 * face.width, y0 - 0.6 * face.height, x1 + 0.6 * face.width, y1 + 0.5 * face.height))] = False
    return float(np.abs(original.astype(np.int16) - output)[outside].mean()) if outside.any() else 0.0


def skin_tone(photo: Pixels, face: Face) -> Floats:
    """CIELAB of the mean colour of the inner face: the middle half of the box, from 0.35 to 0.8 of its height."""
    x0, y0, x1, _ = face.box
    quarter, height = 0.25 * face.width, face.height
    inner = photo[_window((x0 + quarter, y0 + 0.35 * height, x1 - quarter, y0 + 0.8 * height))]
    mean = (inner.reshape(-1, 3).mean(0) / 255).astype(np.float32)
    return np.asarray(cv2.cvtColor(mean[None, None], cv2.COLOR_RGB2LAB)[0, 0], np.float32)


def typology_angle(lab: Floats) -> float:
    """Individual typology angle of a skin's colour in degrees: above 55 very light, below -30 dark.

    Source: Chardon, Cretois and Hourseau, "Skin colour typology and suntanning pathways", 1991.
    """
    return float(np.degrees(np.arctan2(lab[0] - 50, lab[2])))


def thirds(values: Sequence[float], by: Sequence[float]) -> list[float | None]:
    """Medians of `values` for the lowest, middle and highest third of `by`; a third that holds none gives None."""
    value, order = np.asarray(values), np.asarray(by)
    low, high = np.quantile(order, [1 / 3, 2 / 3])
    groups = (order <= low, (order > low) & (order <= high), order > high)
    return [float(np.median(value[group])) if group.any() else None for group in groups]


def likeness_between(embeddings: Floats, photos: Sequence[str]) -> float | None:
    """Mean cosine between faces of different photos.

    Args:
        embeddings: N x D unit vectors.
        photos: which photo each is from.
    """
    numbers = np.unique(photos, return_inverse=True)[1]
    others = numbers[:, None] != numbers[None]
    return float((embeddings @ embeddings.T)[others].mean()) if others.any() else None


def rank1_rate(probes: NDArray[np.floating], gallery: NDArray[np.floating]) -> float:
    """How often the nearest of the gallery is the probe's own: row i of both is one person."""
    nearest = distances_between(probes, gallery).argmin(1)
    return float((nearest == np.arange(len(probes))).mean())


def farther_share(probes: NDArray[np.floating], gallery: NDArray[np.floating]) -> float | None:
    """What a probe tells of its person to somebody who sorts a gallery by it: the share of the others that are farther from it than its own.

    Row i of both is one person. 0.5, half of the others, tells nothing; 1 is the person found at rank 1; near 0 tells as much as near 1, as
    avoided people come last. None where there are no others.
    """
    if len(probes) < 2:
        return None
    distances = distances_between(probes, gallery)
    return float((distances > np.diag(distances)[:, None]).sum(1).mean() / (len(probes) - 1))


def distances_between(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float32]:
    """Euclidean distances of the rows of two matrices, N x D and M x D: N x M."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float32)


def correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Pearson's correlation, None where it is not defined."""
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def degrees_apart(a: float, b: float) -> float:
    """The smaller angle between two directions."""
    return abs((a - b + 180) % 360 - 180)


def _window(box: Box) -> tuple[slice, slice]:
    """The rows and columns of a box, cut off at the photo's left and upper edge."""
    x0, y0, x1, y1 = (max(0, int(v)) for v in box)
    return slice(y0, y1), slice(x0, x1)
