"""The values that one room of the pipeline hands to the next. Coordinates are x, y in pixels of the photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""RGB, height x width x 3."""

Floats = NDArray[np.float32]

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1."""

Action = Literal["generated", "obscured", "kept"]


@dataclass(frozen=True, eq=False)
class Face:
    """A face as it was found.

    Attributes:
        box: x0, y0, x1, y1.
        landmarks: 5 x 2 float32: the eye on the picture's left, the eye on its right, tip of the nose, left and right
            corner of the mouth.
        score: the detector's confidence, 0 to 1.
    """

    box: Box
    landmarks: Floats
    score: float

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]


@dataclass(frozen=True, eq=False)
class Crop:
    """A face in the canonical position.

    Attributes:
        pixels: RGB uint8, size x size x 3.
        matrix: 2 x 3 float64, maps coordinates of the photo to coordinates of the crop.
        inside: bool, size x size: False where the crop reaches over the edge of the photo.
    """

    pixels: Pixels
    matrix: NDArray[np.float64]
    inside: NDArray[np.bool_]

    @property
    def size(self) -> int:
        return int(self.pixels.shape[0])


@dataclass(frozen=True, eq=False)
class Identity:
    """A person who does not exist: what ShapeVAE and AnonymizationNet need to draw one.

    Attributes:
        shape: float32 vector, the latent of ShapeVAE.
        texture: float32 vector, the identity code of AnonymizationNet.
        seed: the number that this identity was drawn from.
    """

    shape: Floats
    texture: Floats
    seed: int


@dataclass(frozen=True)
class FaceReport:
    """What became of one face; one row of the report.

    Attributes:
        box: x0, y0, x1, y1.
        action: "generated", "obscured" or "kept".
        reason: why it was not generated; empty when it was.
        similarity: cosine similarity of original and replacement (SFace), None where it could not be measured.
        attempts: how many identities were tried.
        frame: number of the frame, 0 in photos.
        track: number of the track, None in photos.
    """

    box: Box
    action: Action
    reason: str
    similarity: float | None
    attempts: int
    frame: int = 0
    track: int | None = None


@dataclass(frozen=True, eq=False)
class Result:
    """An anonymised photo: its pixels (RGB uint8, the input's size) and what became of every face."""

    pixels: Pixels
    faces: tuple[FaceReport, ...]
