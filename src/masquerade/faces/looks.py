"""Which parts of a photo to look at, how large, and how turned, so that no face is too small, too large or cut: the plan of a detection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.faces.geometry import centre, enlarged
from masquerade.types import Face, Pixels

SURE, SURE_ELSEWHERE = 0.6, 0.85
"""The score from which on a face is taken at once, in the plain look at the whole photo and in all others."""

AGREED, AGREED_TURNED = 0.6, 0.75
"""What a doubtful face must score in the second look; more where the photo was turned over: hands then look like faces."""

WHOLE_PX, NEAR_PX, TURNED_PX = 1280, 480, 640
"""Longest sides of the photo in the looks at the whole of it: for most faces; for huge and for cut ones; turned over."""

CELL_PX, PART_CELLS, MARGIN_PX = 32, 30, 48
"""Parts are made of cells: a cell's side, the cells along the longest part, and what a part shows of its neighbours."""

BUSY_LEVELS = 8.0
"""A cell where nothing stands out by so many grey levels is left out: faces in the dark stand out by 15 and more, others by 40."""

LARGE_CELLS = 6
"""No small faces are looked for inside a face of this size."""

Part = tuple[int, int, int, int]
"""x0, y0, x1, y1."""


@dataclass(frozen=True)
class Look:
    """One run of the network.

    Attributes:
        scale: the scaled photo's pixels for each of the photo's.
        part: what is looked at, in pixels of the scaled photo; may reach over its edges.
        core: the same; faces whose centre lies outside are left to other looks.
        turns: quarter turns, counterclockwise.
        sure: the score from which on a face is taken at once.
        agreed: what a doubtful face must score in the second look.
    """

    scale: float
    part: Part
    core: Part
    turns: int
    sure: float
    agreed: float

    def cut(self, scaled: Pixels) -> Pixels:
        """The picture to be looked at; over the photo's edges the edge is repeated."""
        x0, y0, x1, y1 = self.part
        height, width = scaled.shape[:2]
        inner = scaled[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]
        sides = max(-y0, 0), max(y1 - height, 0), max(-x0, 0), max(x1 - width, 0)
        return np.ascontiguousarray(np.rot90(cv2.copyMakeBorder(inner, *sides, cv2.BORDER_REPLICATE), self.turns))

    def back(self) -> NDArray[np.float64]:
        """2 x 3, from pixels of the cut picture to pixels of the photo."""
        x0, y0, x1, y1 = self.part
        w, h = x1 - x0 - 1, y1 - y0 - 1
        turned = [[[1, 0, 0], [0, 1, 0]], [[0, -1, w], [1, 0, 0]], [[-1, 0, w], [0, -1, h]], [[0, 1, 0], [-1, 0, h]]][self.turns]
        matrix = np.array(turned, np.float64)
        matrix[:, 2] += x0, y0
        return enlarged(matrix, 1 / self.scale)

    def owns(self, face: Face) -> bool:
        """Whether the face, in pixels of the photo, is this look's to report."""
        x, y = (self.scale * v for v in centre(face))
        slack = 2
        return self.core[0] - slack <= x <= self.core[2] + slack and self.core[1] - slack <= y <= self.core[3] + slack


def looks_at_the_whole(width: int, height: int) -> list[Look]:
    """Looks for all faces but small ones, with space around the photo for those cut by its edge."""
    looks = []
    turned = [(TURNED_PX, turns, 0.1, SURE_ELSEWHERE, AGREED_TURNED) for turns in (1, 2, 3)]
    for longest_px, turns, space, sure, agreed in [(WHOLE_PX, 0, 0.0, SURE, AGREED), (NEAR_PX, 0, 0.25, SURE_ELSEWHERE, AGREED), *turned]:
        scale = min(1.0, longest_px / max(width, height))
        w, h = max(1, round(width * scale)), max(1, round(height * scale))
        edge = round(space * max(w, h))
        looks.append(Look(scale, (-edge, -edge, w + edge, h + edge), (0, 0, w, h), turns, sure, agreed))
    return looks


def looks_at_parts(scaled: Pixels, scale: float, known: Sequence[Face], turns: int) -> list[Look]:
    """Looks for small faces: wherever something stands out, but not inside large faces that are known.

    Args:
        scaled: the photo in the size that it is looked at, RGB uint8.
        scale: its pixels for each of the photo's.
        known: faces that were found before, in pixels of the photo.
        turns: quarter turns after which the photo is upright.
    """
    busy = busy_cells(scaled)
    for face in known:
        x0, y0, x1, y1 = (int(max(v, 0) * scale / CELL_PX) for v in face.box)
        if min(x1 - x0, y1 - y0) >= LARGE_CELLS:
            busy[y0 + 1 : y1, x0 + 1 : x1] = False
    looks = []
    for part in parts_of(busy):
        x0, y0, x1, y1 = (CELL_PX * v for v in part)
        around = x0 - MARGIN_PX, y0 - MARGIN_PX, x1 + MARGIN_PX, y1 + MARGIN_PX
        looks.append(Look(scale, around, (x0, y0, x1, y1), turns, SURE_ELSEWHERE, AGREED))
    return looks


def busy_cells(photo: Pixels) -> NDArray[np.bool_]:
    """For every cell whether anything of a small face's size stands out from its surroundings; rows x columns."""
    rows, columns = -(-photo.shape[0] // CELL_PX), -(-photo.shape[1] // CELL_PX)
    side = CELL_PX // 4
    quarter = cv2.resize(photo, (-(-photo.shape[1] // 4), -(-photo.shape[0] // 4)), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(quarter, cv2.COLOR_RGB2GRAY).astype(np.float32)
    stands_out = np.zeros((rows * side, columns * side), np.bool_)
    stands_out[: gray.shape[0], : gray.shape[1]] = np.abs(gray - cv2.GaussianBlur(gray, (0, 0), 2.5)) > BUSY_LEVELS
    return np.asarray(stands_out.reshape(rows, side, columns, side).any((1, 3)))


def parts_of(busy: NDArray[np.bool_], x: int = 0, y: int = 0) -> list[Part]:
    """Rectangles of cells that hold all busy ones: trimmed, and halved while they are too long.

    Args:
        busy: rows x columns.
        x: what is added to all columns.
        y: what is added to all rows.
    """
    rows, columns = np.flatnonzero(busy.any(1)), np.flatnonzero(busy.any(0))
    if not len(rows):
        return []
    y, x = y + int(rows[0]), x + int(columns[0])
    busy = busy[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = busy.shape
    if max(height, width) <= PART_CELLS:
        return [(x, y, x + width, y + height)]
    if height > width:
        half = height // 2
        return parts_of(busy[:half], x, y) + parts_of(busy[half:], x, y + half)
    half = width // 2
    return parts_of(busy[:, :half], x, y) + parts_of(busy[:, half:], x + half, y)
