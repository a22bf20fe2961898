"""A face's way through a clip: while it is being followed, and when it is known as a whole."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from masquerade.faces.smoothing import smoothed
from masquerade.types import Face, Floats

Seen = Literal["detected", "filled", "carried"]
SEEN: tuple[Seen, ...] = ("detected", "filled", "carried")
DETECTED, FILLED, CARRIED = range(3)

COVERED = 0.8
"""A smoothed box must cover this share of the detected one, else the detected one is taken as it is."""

NUMBERS = 15
"""Of a face in a row: box, landmarks, score."""


@dataclass(frozen=True, eq=False)
class Track:
    """One face from its first to its last frame, none left out.

    Attributes:
        number: of no other track of the clip; later ones have larger numbers.
        first: number of the first frame.
        rows: N x 15 float32, for each frame the steadied box, landmarks and score.
        seen: N uint8, index in `SEEN`.
        first_detected: number of the frame of the first detection.
        last_detected: the same of the last one.
        is_instant: whether it was detected so seldom that it is to be obscured rather than replaced.
        is_doubtful: whether it was seen so faintly, and missed so often in between, that it hardly is a face: it is to be obscured too.
    """

    number: int
    first: int
    rows: Floats
    seen: NDArray[np.uint8]
    first_detected: int
    last_detected: int
    is_instant: bool
    is_doubtful: bool = False

    @property
    def end(self) -> int:
        """Number of the frame after the last."""
        return self.first + len(self.rows)

    def face(self, frame: int) -> Face:
        """The face in a frame."""
        return face_of(self.rows[frame - self.first])

    def seen_at(self, frame: int) -> Seen:
        """How it is known where the face is in a frame."""
        return SEEN[int(self.seen[frame - self.first])]


@dataclass(eq=False)
class OpenTrack:
    """A track that may go on.

    Attributes:
        room: how many frames before the first nobody else has the face in.
        entrance: where the face was before the first detection, backwards.
        tail: where it may be after the last detection.
        is_lost: whether following it further makes no sense.
        is_over: whether another track has it now.
    """

    number: int
    first: int
    room: int
    last_face: Face
    rows: array[float] = field(default_factory=lambda: array("f"))
    seen: bytearray = field(default_factory=bytearray)
    entrance: list[Face] = field(default_factory=list)
    tail: list[Face] = field(default_factory=list)
    is_lost: bool = False
    is_over: bool = False
    detections: int = 0
    best: float = 0.0
    total: float = 0.0

    @property
    def last_detected(self) -> int:
        return self.first + len(self.seen) - 1

    def face(self, frame: int) -> Face | None:
        """Where the face is in a frame from the first on; None before, and where nothing is known."""
        index = frame - self.first
        if 0 <= index < len(self.seen):
            return face_of(np.array(self.rows[index * NUMBERS : (index + 1) * NUMBERS], np.float32))
        return self.tail[index - len(self.seen)] if 0 <= index - len(self.seen) < len(self.tail) else None

    @property
    def expected(self) -> Face:
        """Where the face was last seen or followed to."""
        return self.tail[-1] if self.tail else self.last_face

    def add(self, face: Face, seen: int) -> None:
        """Lengthens the track by a frame."""
        self.rows.extend((*face.box, *face.landmarks.ravel().tolist(), face.score))
        self.seen.append(seen)
        self.last_face = face
        if seen == DETECTED:
            self.detections += 1
            self.best, self.total = max(self.best, face.score), self.total + face.score

    @property
    def certainty(self) -> float:
        """Mean score from the first to the last detection, 0 to 1; a frame in which the face was missed counts as 0."""
        return self.total / max(len(self.seen), 1)

    def closed(self, rate: float, is_instant: bool, is_doubtful: bool) -> Track:
        """The whole track with its ends, steadied, at so many frames a second."""
        middle = np.array(self.rows, np.float32).reshape(-1, NUMBERS)
        entrance = self.entrance + [self.entrance[-1] if self.entrance else face_of(middle[0])] * (self.room - len(self.entrance))
        raw = np.concatenate([_rows(entrance[::-1]), middle, _rows(self.tail)])
        seen = np.frombuffer(bytes([CARRIED]) * len(entrance) + bytes(self.seen) + bytes([CARRIED]) * len(self.tail), np.uint8)
        sizes = np.sqrt(np.maximum((raw[:, 2] - raw[:, 0]) * (raw[:, 3] - raw[:, 1]), 1.0)).astype(np.float64)
        rows = np.concatenate([smoothed(raw[:, :14].astype(np.float64), sizes, rate), raw[:, 14:]], 1).astype(np.float32)
        for index in np.flatnonzero(seen == DETECTED):
            if shared(face_of(raw[index]), face_of(rows[index])) < COVERED:
                rows[index] = raw[index]
        first = self.first - len(entrance)
        return Track(self.number, first, rows, seen, self.first, self.last_detected, is_instant, is_doubtful)


def filled(before: Face, after: Face, followed: Sequence[Face], missing: int) -> list[Face]:
    """Faces for the frames between two detections: along the followed way where there is one, bent to end at the second; else straight."""
    a, b = _rows([before])[0], _rows([after])[0]
    along = _rows(followed) if len(followed) == missing else None
    faces = []
    for index in range(missing):
        share = (index + 1) / (missing + 1)
        # What the way still misses at its end is spread over it.
        row = a + share * (b - a) if along is None else along[index] + share * (b - along[-1])
        faces.append(face_of(row))
    return faces


def shared(face: Face, other: Face) -> float:
    """The share of a face's box that another's covers, 0 to 1."""
    width = min(face.box[2], other.box[2]) - max(face.box[0], other.box[0])
    height = min(face.box[3], other.box[3]) - max(face.box[1], other.box[1])
    return max(width, 0.0) * max(height, 0.0) / max(face.width * face.height, 1e-6)


def _rows(faces: Sequence[Face]) -> Floats:
    return np.array([(*f.box, *f.landmarks.ravel(), f.score) for f in faces], np.float32).reshape(-1, NUMBERS)


def face_of(row: NDArray[np.floating]) -> Face:
    """The face in a row of 15 numbers."""
    x0, y0, x1, y1 = (float(v) for v in row[:4])
    return Face((x0, y0, x1, y1), row[4:14].reshape(5, 2).astype(np.float32), float(row[14]))
