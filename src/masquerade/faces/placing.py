"""Where a face really lies in its crop, and faces placed so that it lies where it should.

A crop is cut by the detector's five points. Of heads that lean, these are nearly level, and lie beside eyes and mouth: the crop leans and is off the
face, what is drawn into it stands crooked, and a recogniser that aligns faces by such points takes strangers for one another (of two people who lean
SFace's median cosine with strangers was 0.6). LandmarkNet sees in the crop where the face is.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from masquerade.faces.alignment import TEMPLATE, canonical_matrix
from masquerade.types import Face, Floats

FIVE = ((33, 133), (362, 263), (1,), (61,), (291,))
"""The points of the mesh whose means are nearest to the detector's five: eyes, nose, corners of the mouth."""

USUAL = np.array([[0.375, 0.426], [0.625, 0.426], [0.5, 0.592], [0.384, 0.689], [0.616, 0.689]])
"""Where they lie, in shares of the crop's side: medians of 20,000 crops, made symmetric."""

MIDDLE = TEMPLATE.mean(0)

ZOOM, SHIFT = 0.2, 0.06
"""Who lies off by so much, as a logarithm, in shares of the side, is placed anew; nobody who lies off by less than half of it, as 95 of 100 do; and
by a part who is between."""

UPRIGHT, LESS_UPRIGHT = 0.2, 0.45
"""A head that leans by less, in radians, is left as it is, others are set so upright. The second is for clips in which everybody is too much alike to
somebody who leans: to SFace, at the detector's level points, those are who lean as they do."""

FULLY = 0.1
"""A head that leans by so much beyond the first is placed fully. Heads that do not lean stay where the detector says: placed, some in the dark were
more alike to their persons (stage clip, 114 frames instead of 19)."""

NEAR = 0.03
"""Placements that differ by less in each number are the same."""

FARTHEST = 5.0
"""Who is off by more times as much is no face that LandmarkNet knows."""


@dataclass(frozen=True)
class Placement:
    """A similarity transform of the crop about the middle of the face: turn clockwise in radians, logarithm of the zoom, shift in shares of the
    side."""

    turn: float = 0.0
    zoom: float = 0.0
    right: float = 0.0
    down: float = 0.0

    @property
    def matrix(self) -> NDArray[np.float64]:
        """2 x 3, in shares of the side."""
        linear = np.exp(self.zoom) * np.array([[np.cos(self.turn), -np.sin(self.turn)], [np.sin(self.turn), np.cos(self.turn)]])
        return np.column_stack([linear, MIDDLE + np.array([self.right, self.down]) - linear @ MIDDLE])

    @property
    def misfit(self) -> float:
        """How far zoom and shift are off; 1 where they must be mended."""
        return max(abs(self.zoom) / ZOOM, float(np.hypot(self.right, self.down)) / SHIFT)

    def needed(self, upright: float = UPRIGHT) -> Placement:
        """As much of it as is mended: nothing of what is usual, all of what is far off, and nothing of what cannot be or of heads that do not lean.

        Args:
            upright: by how much a head may lean.
        """
        leaning = float(np.clip((abs(self.turn) - UPRIGHT) / FULLY, 0, 1))
        if not leaning or self.misfit > FARTHEST:
            return Placement()
        turn = float(np.sign(self.turn)) * max(abs(self.turn) - upright, 0.0)
        return replace(Placement().towards(self, leaning * float(np.clip(2 * self.misfit - 1, 0, 1))), turn=turn)

    def then(self, other: Placement) -> Placement:
        """This, and another after it."""
        moved = other.matrix @ np.array([MIDDLE[0] + self.right, MIDDLE[1] + self.down, 1.0]) - MIDDLE
        return Placement(self.turn + other.turn, self.zoom + other.zoom, float(moved[0]), float(moved[1]))

    def is_near(self, other: Placement) -> bool:
        """Whether the two hardly differ."""
        return (
            abs(self.turn - other.turn) < NEAR
            and abs(self.zoom - other.zoom) < NEAR
            and abs(self.right - other.right) + abs(self.down - other.down) < NEAR
        )

    def towards(self, other: Placement, share: float) -> Placement:
        """Between this and another."""
        return Placement(*(float(a + share * (b - a)) for a, b in zip(astuple(self), astuple(other), strict=True)))


def placement_of(points: Floats) -> Placement:
    """What would lay the face of a crop where faces usually lie.

    Args:
        points: LandmarkNet's, 478 x 3 in shares of the crop's side.
    """
    five = np.stack([points[list(which), :2].mean(0) for which in FIVE]).astype(np.float64)
    a, b = ((p - p.mean(0)) @ np.array([1, 1j]) for p in (five, USUAL))
    factor = (b * a.conj()).sum() / max(float((np.abs(a) ** 2).sum()), 1e-6)
    placement = Placement(float(np.angle(factor)), float(np.log(max(abs(factor), 1e-3))))
    left, top = placement.matrix @ np.append(five.mean(0), 1.0)
    right, down = USUAL.mean(0) - (left, top)
    return replace(placement, right=float(right), down=float(down))


def placed(face: Face, placement: Placement) -> Face:
    """A face with the five points that lay it where they should: those of an average face, seen from the front."""
    if placement == Placement():
        return face
    whole = placement.matrix @ np.vstack([canonical_matrix(face, 1), [0, 0, 1]])
    landmarks = (TEMPLATE - whole[:, 2]) @ np.linalg.inv(whole[:, :2]).T
    return replace(face, landmarks=landmarks.astype(np.float32))
