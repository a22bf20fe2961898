"""Landmarks of a face in the canonical crop, and the ten numbers of pose and expression that are read from them.

The 478 points are MediaPipe's: 468 of the face mesh, then five of each iris. They are found by LandmarkNet.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.types import Floats, Pixels
from masquerade.weights import load_arrays, load_session

MESH_POINTS, POINTS = 468, 478
INPUT_SIDE = 128

IRIS_LEFT, IRIS_RIGHT = slice(468, 473), slice(473, 478)
"""Irises on the picture's left and right: centre, then four points of the edge."""

LEFT_CORNERS, RIGHT_CORNERS = (33, 133), (362, 263)
"""Corners of the eyes on the picture's left and right, each from left to right."""

LEFT_LIDS, RIGHT_LIDS = ((160, 144), (159, 145), (158, 153)), ((385, 380), (386, 374), (387, 373))
"""Points of the upper lid with those of the lower lid below them."""

MOUTH_CORNERS = (61, 291)
INNER_LIPS = ((82, 87), (13, 14), (312, 317))
"""Points of the upper lip's inner edge with those of the lower lip below them."""

CONDITION = ("pitch", "yaw", "roll", "mouth_opening", "mouth_width", "mouth_lift", "left_eye_opening", "right_eye_opening", "gaze_x", "gaze_y")
"""Names of the ten numbers of `condition_of`."""

_MIRROR_ORDER = [0, 1, 2, 3, 4, 5, 7, 6, 8, 9]
_MIRROR_SIGN = np.array([1, -1, -1, 1, 1, 1, 1, 1, -1, 1], np.float32)


class Landmarks:
    """LandmarkNet.

    Args:
        threads: how many threads one run may use.

    Raises:
        DamagedWeights: its file is missing or damaged.
    """

    def __init__(self, threads: int = 2) -> None:
        self._session = load_session("landmarks.onnx", threads)
        self._input = self._session.get_inputs()[0].name

    def __call__(self, crop: Pixels) -> Floats:
        """Finds the points of a face in its canonical crop.

        Args:
            crop: RGB uint8, S x S x 3.

        Returns:
            478 x 3 float32: x, y in shares of the crop's side, z in the same unit towards the back, 0 near the middle of the head.
        """
        points: Floats = self.batch(crop[None])[0]
        return points

    def batch(self, crops: Pixels) -> Floats:
        """The same for N crops at once: N x S x S x 3 to N x 478 x 3."""
        small = np.stack([cv2.resize(c, (INPUT_SIDE, INPUT_SIDE), interpolation=cv2.INTER_AREA) for c in crops])
        planes = np.ascontiguousarray(small.transpose(0, 3, 1, 2), np.float32) / np.float32(127.5) - 1
        points: Floats = np.asarray(self._session.run(None, {self._input: planes})[0], np.float32)
        return points


def condition_of(points: Floats) -> Floats:
    """What a new face must share with the old one: pose and expression, and as little of the person as ten numbers allow.

    Let R, s, t be the rotation, scale and shift that lay the mean mesh over the rigid points (nose, eyes' corners, cheekbones, temples,
    forehead: what expressions hardly move) with the least squared error, and q = R^-1 p / s the points with rotation and scale undone.
    Lengths in q are as seen from the front, in distances of the mean mesh's eyes: the person's own eyes' distance is not in them.

    ==================  ===========================================================================================================
    pitch, yaw, roll    The rotation vector of R in radians: about x (positive: looks down), y (positive: turned to the picture's
                        left), z (positive: the head's top tilts to the picture's right). The new face must stand in the head as the
                        old one did. The mean mesh is everybody's: proportions enter only as a small error of the pitch.
    mouth_opening       Gap between the lips' inner edges. Speech and laughter; zero for every closed mouth.
    mouth_width         Distance of the mouth's corners. Pursed, at rest, smiling. Nothing here carries more of the person, but without
                        it a smile could not be told from lips at rest.
    mouth_lift          How much higher than the middle of the lips' inner edges the corners are. Glad or sad.
    left_eye_opening,   Gap between the lids over the eye's width, of the eye on the picture's left and of the one on its right.
    right_eye_opening   Blinks, winks, eyes screwed up or wide; over its own width, because large eyes are not open eyes.
    gaze_x, gaze_y      Middle of the iris from the middle of the eye's corners, along the line through them (positive: picture's right)
                        and across it (positive: down), over the eye's width in the picture; mean of both eyes, the nearer one counts
                        more. Where somebody looks says nothing of who it is. Measured in the picture, where the eyes are drawn.
    ==================  ===========================================================================================================

    Args:
        points: 478 x 3 float32 in shares of the crop's side, z towards the back.

    Returns:
        10 float32, in the order of `CONDITION`.
    """
    constants = mesh_constants()
    rigid = constants["rigid"]
    rotation, scale = similarity_between(constants["mean"][rigid], points[rigid])
    q = points.astype(np.float64) @ rotation / scale
    upper, lower = q[[u for u, _ in INNER_LIPS], 1].mean(), q[[w for _, w in INNER_LIPS], 1].mean()
    left, right = q[list(MOUTH_CORNERS)]
    return np.array(
        [
            *cv2.Rodrigues(rotation)[0].ravel(),
            max(lower - upper, 0.0),
            np.linalg.norm(right - left),
            (upper + lower) / 2 - (left[1] + right[1]) / 2,
            _opening(q, LEFT_CORNERS, LEFT_LIDS),
            _opening(q, RIGHT_CORNERS, RIGHT_LIDS),
            *_gaze(points),
        ],
        np.float32,
    )


def mirrored_condition(condition: Floats) -> Floats:
    """The condition of the mirror image: eyes exchanged; yaw, roll and gaze_x with the other sign. Shape ... x 10."""
    return condition[..., _MIRROR_ORDER] * _MIRROR_SIGN


def mirrored_points(points: Floats) -> Floats:
    """The points of the crop's mirror image, ... x 478 x 3 in shares of the side."""
    mirrored: Floats = points[..., mesh_constants()["mirror"], :].copy()
    mirrored[..., 0] = 1 - mirrored[..., 0]
    return mirrored


@cache
def mesh_constants() -> dict[str, NDArray[np.generic]]:
    """What is known of meshes in general.

    Returns:
        mean: 478 x 3 float32, the symmetric mean face from the front, the middles of the eyes' corners at (-0.5, 0, 0) and (0.5, 0, 0).
        rigid: indices of the points that expressions hardly move.
        mirror: 478 indices; the point that each point becomes in the mirror.
    """
    return load_arrays("landmarks.npz")


def similarity_between(source: NDArray[np.floating], target: NDArray[np.floating]) -> tuple[NDArray[np.float64], float]:
    """Rotation (3 x 3, no reflection) and scale that lay source over target, both N x 3, with the least squared error.

    Source: Umeyama, Least-squares estimation of transformation parameters between two point patterns, 1991.
    """
    a, b = source.astype(np.float64) - source.mean(0), target.astype(np.float64) - target.mean(0)
    u, stretch, vt = np.linalg.svd(b.T @ a)
    sign = np.sign(np.linalg.det(u @ vt))
    u[:, 2] *= sign
    scale = (stretch[0] + stretch[1] + sign * stretch[2]) / max(float((a**2).sum()), 1e-12)
    return u @ vt, max(float(scale), 1e-9)


def _opening(q: NDArray[np.float64], corners: tuple[int, int], lids: tuple[tuple[int, int], ...]) -> float:
    gap = float(np.mean([q[lower, 1] - q[upper, 1] for upper, lower in lids]))
    return max(gap, 0.0) / max(float(np.linalg.norm(q[corners[1]] - q[corners[0]])), 1e-6)


def _gaze(points: Floats) -> tuple[float, float]:
    total, weights = np.zeros(2), 0.0
    for corners, iris in ((LEFT_CORNERS, IRIS_LEFT), (RIGHT_CORNERS, IRIS_RIGHT)):
        a, b = points[list(corners), :2].astype(np.float64)
        along, seen = b - a, points[iris, :2].mean(0) - (a + b) / 2
        # Weighted with the squared width, which the two coordinates would be divided by.
        total += [seen @ along, along[0] * seen[1] - along[1] * seen[0]]
        weights += float(along @ along)
    # Beyond the corners only errors lie.
    gaze = np.clip(total / max(weights, 1e-9), -0.5, 0.5)
    return float(gaze[0]), float(gaze[1])
