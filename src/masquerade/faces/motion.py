"""What moves between two frames: whether the scene was cut, and where a face went that the detector no longer finds."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.faces.geometry import centre, moved
from masquerade.types import Face, Floats

Gray = NDArray[np.uint8]
"""height x width."""

THUMBNAIL = (32, 18)
UNLIKE, LEAST_LEVELS = 0.5, 6.0
"""Frames whose thumbnails correlate less, and differ by more grey levels, are of two scenes."""

ALIKE, SUDDEN_LEVELS, SUDDEN_RATIO = 0.8, 12.0, 4.0
"""So are frames that correlate less than this, where the thumbnail changes by more levels and so many times more than it did before."""

FOLLOWED_PX = 72
"""Faces are followed in a picture where they are at most this wide: small faces' texture carries, large ones' pores only cost."""

WINDOW, LEVELS = (13, 13), 3
"""Neighbourhood of a point that is compared, in pixels, and how many times the picture is halved to follow fast ones."""

GRID = 8
"""Points along each side of the grid that is followed."""

ROUND_TRIP_PX, INLIER_PX = 0.8, 1.5
"""A point is trusted when following it back misses by less; it agrees with the others when it lies so near to where they say."""

SHARE = 0.3
"""So many of the points must be trusted and agree, else the face is lost: covered, or out of reach."""

LIKENESS = 0.5
"""Correlation of the face with itself one frame later, below which it is lost."""


class Cuts:
    """Finds where one scene ends and another begins, frame by frame."""

    def __init__(self) -> None:
        self._last: Floats | None = None
        self._usual = LEAST_LEVELS / 2

    def __call__(self, gray: Gray) -> bool:
        """Whether this frame begins another scene than the one before."""
        small = cv2.resize(gray[::4, ::4], THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
        last, self._last = self._last, small
        if last is None:
            return False
        # A light that goes on changes all by one amount; a cut does not.
        a, b = small - small.mean(), last - last.mean()
        change = float(np.abs(a - b).mean())
        likeness = float((a * b).sum()) / max(float(np.sqrt((a**2).sum() * (b**2).sum())), 1e-6)
        is_sudden = change > SUDDEN_LEVELS and change > SUDDEN_RATIO * self._usual
        cut = (likeness < UNLIKE and change > LEAST_LEVELS) or (likeness < ALIKE and is_sudden)
        self._usual = LEAST_LEVELS / 2 if cut else max(LEAST_LEVELS / 2, 0.8 * self._usual + 0.2 * change)
        return cut


def follow(before: Gray, after: Gray, face: Face) -> Face | None:
    """Where a face of one frame is in the next, by the optical flow of the points on it.

    Args:
        before: the frame with the face.
        after: the frame after it, or, to go backwards, the one before it.
        face: in pixels of these frames.

    Returns:
        The face moved, turned and scaled; None where it is lost.

    Source: forward-backward error as in Kalal, Mikolajczyk, Matas, "Forward-Backward Error", ICPR 2010; Lucas-Kanade by OpenCV.
    """
    size = max(face.width, face.height)
    scale = min(1.0, FOLLOWED_PX / max(face.width, 1.0))
    x, y = centre(face)
    x0, y0 = max(int(x - size), 0), max(int(y - size), 0)
    x1, y1 = min(int(x + size) + 1, before.shape[1]), min(int(y + size) + 1, before.shape[0])
    if x1 - x0 < 8 or y1 - y0 < 8:
        return None
    near, later = (_shrunk(picture[y0:y1, x0:x1], scale) for picture in (before, after))
    local = _local(face, x0, y0, scale)
    points = _grid(local, near.shape)
    if len(points) < GRID:
        return None
    matrix = _motion(near, later, points)
    if matrix is None or _likeness(near, later, matrix, local) < LIKENESS:
        return None
    there = moved(local, matrix)
    x, y = centre(there)
    if not (0 <= x < near.shape[1] and 0 <= y < near.shape[0]):
        return None
    box = there.box[0] / scale + x0, there.box[1] / scale + y0, there.box[2] / scale + x0, there.box[3] / scale + y0
    landmarks = (there.landmarks / scale + np.array([x0, y0])).astype(np.float32)
    return Face((float(box[0]), float(box[1]), float(box[2]), float(box[3])), landmarks, face.score)


def _shrunk(picture: Gray, scale: float) -> Gray:
    return picture if scale == 1 else np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _local(face: Face, x: int, y: int, scale: float) -> Face:
    x0, y0, x1, y1 = face.box
    box = ((x0 - x) * scale, (y0 - y) * scale, (x1 - x) * scale, (y1 - y) * scale)
    return Face(box, ((face.landmarks - np.array([x, y])) * scale).astype(np.float32), face.score)


def _grid(face: Face, shape: tuple[int, ...]) -> Floats:
    """Points spread over the middle of the box, those inside the picture."""
    x0, y0, x1, y1 = face.box
    margin_x, margin_y = 0.12 * (x1 - x0), 0.12 * (y1 - y0)
    xs, ys = np.linspace(x0 + margin_x, x1 - margin_x, GRID), np.linspace(y0 + margin_y, y1 - margin_y, GRID)
    points = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2).astype(np.float32)
    inside = (points > 1).all(1) & (points < np.array([shape[1], shape[0]]) - 2).all(1)
    return points[inside]


def _motion(before: Gray, after: Gray, points: Floats) -> NDArray[np.float64] | None:
    """The similarity transform (2 x 3) that most of the points agree on."""
    start = points[:, None]
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, start, start.copy(), winSize=WINDOW, maxLevel=LEVELS)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, there, there.copy(), winSize=WINDOW, maxLevel=LEVELS)
    missed = np.hypot(*(back[:, 0] - points).T)
    good = (found[:, 0] > 0) & (returned[:, 0] > 0) & (missed < ROUND_TRIP_PX)
    if good.sum() < max(6, SHARE * len(points)):
        return None
    matrix, agree = cv2.estimateAffinePartial2D(points[good], there[good, 0], method=cv2.RANSAC, ransacReprojThreshold=INLIER_PX)
    if matrix is None or agree.sum() < max(6, SHARE * len(points)) or not 0.7 < np.hypot(matrix[0, 0], matrix[1, 0]) < 1.4:
        return None
    return np.asarray(matrix, np.float64)


def _likeness(before: Gray, after: Gray, matrix: NDArray[np.float64], face: Face) -> float:
    """Correlation of the face's pixels with those that the transform says are the same, -1 to 1."""
    unmoved = cv2.warpAffine(
        after, matrix, (before.shape[1], before.shape[0]), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    x0, y0, x1, y1 = (max(round(v), 0) for v in face.box)
    a, b = before[y0:y1, x0:x1].astype(np.float32).ravel(), unmoved[y0:y1, x0:x1].astype(np.float32).ravel()
    if a.size < 16:
        return -1.0
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b) / max(float(np.sqrt((a @ a) * (b @ b))), 1e-6)
