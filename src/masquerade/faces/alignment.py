"""The canonical crop: every face upright, of one size, at one place; and the way back into the photo."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.types import Crop, Face, Pixels

TEMPLATE = np.array([[0.365, 0.41], [0.635, 0.41], [0.5, 0.57], [0.38, 0.691], [0.62, 0.691]])
"""Where the five landmarks of an average face lie, in shares of the crop's side.

Proportions are the medians of 200 photos of CelebAMask-HQ; the scale lets ears, hairline and an open mouth's chin in.
"""

SMALLEST_SIDE_IN_BOXES = 1.3
"""A crop is at least this many times as large as the detected box: in profile the landmarks come close together."""


def canonical_matrix(face: Face, size: int) -> NDArray[np.float64]:
    """The similarity transform from the photo to the canonical crop.

    Args:
        face: box and landmarks in pixels of the photo.
        size: side of the crop in pixels.

    Returns:
        2 x 3 float64; (x, y) of the photo times this gives (x, y) of the crop.
    """
    target = TEMPLATE * size
    source = face.landmarks.astype(np.float64)
    target_mean, source_mean = target.mean(0), source.mean(0)
    a, b = target - target_mean, source - source_mean
    # Least squares over the complex plane: scale and turn are one complex number.
    spread = max(float((b**2).sum()), 1e-6)
    cosine = float((a * b).sum()) / spread
    sine = float((a[:, 1] * b[:, 0] - a[:, 0] * b[:, 1]).sum()) / spread
    scale = float(np.hypot(cosine, sine))
    box_side = max(face.width, face.height, 1.0)
    bound = size / (SMALLEST_SIDE_IN_BOXES * box_side)
    if scale > bound or scale < 1e-6:
        factor = bound / max(scale, 1e-6)
        cosine, sine = (cosine * factor, sine * factor) if scale >= 1e-6 else (bound, 0.0)
    linear = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([linear, target_mean - linear @ source_mean])


def scale_of(matrix: NDArray[np.float64]) -> float:
    """How many pixels of the crop one pixel of the photo becomes."""
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def finer(matrix: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """The matrix to the same crop with so many times more pixels on each side, each pixel cut up into smaller ones."""
    return factor * matrix + np.array([[0, 0, 1], [0, 0, 1]]) * (factor - 1) / 2


def within(matrix: NDArray[np.float64], x: int, y: int) -> NDArray[np.float64]:
    """The matrix to the same crop from the part of the photo that begins at x, y."""
    return np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ np.array([x, y], np.float64)])


def take_crop(photo: Pixels, matrix: NDArray[np.float64], size: int) -> Crop:
    """Cuts the canonical crop out of a photo.

    Args:
        photo: RGB uint8, height x width x 3.
        matrix: 2 x 3, photo to crop.
        size: side of the crop in pixels.

    Returns:
        The crop; beyond the photo's edge it repeats the edge's pixels and `inside` is False.
    """
    near, moved = _photo_near(photo, matrix, size)
    scale = scale_of(moved)
    if scale < 0.5:
        # Shrink by areas first: sampling a large face directly would alias.
        step = 1.0 / (2.0 * scale)
        width, height = max(1, round(near.shape[1] / step)), max(1, round(near.shape[0] / step))
        ratio = np.array([width / near.shape[1], height / near.shape[0]])
        near = np.asarray(cv2.resize(near, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        linear = moved[:, :2] / ratio
        # Pixel centres: x_small = (x + 0.5) * ratio - 0.5.
        moved = np.column_stack([linear, moved[:, 2] - linear @ (0.5 * ratio - 0.5)])
        scale = scale_of(moved)
    if 0.5 <= scale < 1:
        near = np.asarray(cv2.GaussianBlur(near, (0, 0), 0.45 * (1 / scale - 1) + 0.1), np.uint8)
    pixels = cv2.warpAffine(near, moved, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inverse = cv2.invertAffineTransform(matrix)
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1) @ inverse[:, :2].T + inverse[:, 2]
    height, width = photo.shape[:2]
    inside = (grid[..., 0] > -0.5) & (grid[..., 1] > -0.5) & (grid[..., 0] < width - 0.5) & (grid[..., 1] < height - 0.5)
    return Crop(np.ascontiguousarray(pixels), matrix, inside)


def _photo_near(photo: Pixels, matrix: NDArray[np.float64], size: int) -> tuple[Pixels, NDArray[np.float64]]:
    """The part of the photo that the crop touches, with the matrix for that part: keeps large photos cheap."""
    x0, y0, x1, y1 = region_of(matrix, size, photo.shape[1], photo.shape[0], margin=4)
    return photo[y0:y1, x0:x1], within(matrix, x0, y0)


def region_of(matrix: NDArray[np.float64], size: int, width: int, height: int, margin: int = 0) -> tuple[int, int, int, int]:
    """The rectangle x0, y0, x1, y1 of the photo that holds the crop, cut off at the photo's edges, never empty."""
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) @ inverse[:, :2].T + inverse[:, 2]
    x0, y0 = np.floor(corners.min(0)).astype(int) - margin
    x1, y1 = np.ceil(corners.max(0)).astype(int) + margin + 1
    x0, y0 = min(max(int(x0), 0), width - 1), min(max(int(y0), 0), height - 1)
    return x0, y0, max(x0 + 1, min(int(x1), width)), max(y0 + 1, min(int(y1), height))
