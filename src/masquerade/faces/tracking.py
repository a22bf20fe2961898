"""Faces through a clip: one track for each face from where it came in to where it left, without gaps and without trembling.

The detector looks at every frame; norfair says which face of this frame is which of the last. What the detector misses inside a track
is filled in, what it misses before and after is followed by optical flow. A cut ends all tracks.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import norfair
import numpy as np
from norfair.distances import Distance
from numpy.typing import NDArray

from masquerade.faces.geometry import are_one, is_part
from masquerade.faces.motion import Cuts, Gray, follow
from masquerade.faces.smoothing import smoothed
from masquerade.types import Face, Floats

Seen = Literal["detected", "filled", "carried"]
SEEN: tuple[Seen, ...] = ("detected", "filled", "carried")
DETECTED, FILLED, CARRIED = range(3)

SURE = 0.6
"""A face that scores this is covered wherever it is found, even once."""

LASTING_S, LASTING = 0.5, 0.5
"""A track without any sure face is a face all the same when it lasts so many seconds and scores this on average."""

INSTANT = 2
"""A track of so few detections is too short to be given a new face."""

PATIENCE_S = 1.5
"""A face that is found again at its place within this time is the same, and covered in between: a hand passed before it."""

CARRIED_S, LEAST_CARRIED_S = 1.0, 0.2
"""How far a track reaches beyond its first and last detection while the face can be followed; and when it cannot."""

CARRIED_PER_DETECTION = 3
"""What was found seldom is not carried far either: it may be no face."""

NEAR = 0.9
"""Detections belong to a track when their landmarks are nearer to where they are expected than this, in sides of the face."""

NOVELTY, SETTLED = 0.25, 10
"""A new track is taken for farther away than it is, by so much at first, until it has so many detections."""

COVERED = 0.8
"""A smoothed box must cover this share of the detected one, else the detected one is taken as it is."""

SHADOW, PART = 0.3, 0.6
"""A doubtful face of which a surer one covers more than the first is none; a part of a larger face lies within it by more than the second."""

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
    """

    number: int
    first: int
    rows: Floats
    seen: NDArray[np.uint8]
    first_detected: int
    last_detected: int
    is_instant: bool

    @property
    def end(self) -> int:
        """Number of the frame after the last."""
        return self.first + len(self.rows)

    def face(self, frame: int) -> Face:
        """The face in a frame."""
        return _face(self.rows[frame - self.first])

    def seen_at(self, frame: int) -> Seen:
        """How it is known where the face is in a frame."""
        return SEEN[int(self.seen[frame - self.first])]


@dataclass(eq=False)
class _Open:
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

    @property
    def last_face(self) -> Face:
        return _face(np.array(self.rows[-NUMBERS:], np.float32))

    @property
    def expected(self) -> Face:
        return self.tail[-1] if self.tail else self.last_face

    def add(self, face: Face, seen: int) -> None:
        self.rows.extend((*face.box, *face.landmarks.ravel().tolist(), face.score))
        self.seen.append(seen)
        if seen == DETECTED:
            self.detections += 1
            self.best, self.total = max(self.best, face.score), self.total + face.score


class FaceTracker:
    """Follows the faces of a clip, frame by frame; says at the end where each was.

    Args:
        rate: frames a second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._patience, self._carried, self._least = (max(1, round(s * rate)) for s in (PATIENCE_S, CARRIED_S, LEAST_CARRIED_S))
        self._cuts = Cuts()
        self._open: dict[int, _Open] = {}
        self._frame, self._count = -1, 0
        self._recent: deque[Gray] = deque(maxlen=self._carried + 1)
        self._begin_scene()

    def update(self, gray: Gray, faces: Sequence[Face]) -> tuple[list[tuple[int, Face]], list[Track]]:
        """Takes the next frame.

        Args:
            gray: the frame, height x width uint8.
            faces: what was found in it, in its pixels: also doubtful ones, which only lengthen tracks.

        Returns:
            Number of the track and face for each face in this frame that has one; and the tracks that ended.
        """
        self._frame += 1
        ended = []
        if self._cuts(gray):
            ended = self._end(list(self._open))
            self._begin_scene()
        faces = without_shadows(faces)
        for track in self._open.values():
            if track.tail or track.is_lost:
                self._follow_on(track, gray)
        matched = self._match(faces)
        for track in self._open.values():
            if track.last_detected < self._frame and not track.tail and not track.is_lost:
                self._follow_on(track, gray)
            self._hand_over(track, matched)
        self._recent.append(gray)
        for number, _ in matched:
            track = self._open[number]
            if track.detections == INSTANT + 1 and track.seen[-1] == DETECTED and not track.entrance:
                self._follow_back(track)
        ended += self._end([n for n, t in self._open.items() if self._frame - t.last_detected > self._patience])
        return matched, ended

    def finish(self) -> list[Track]:
        """The tracks that had not ended when the clip did."""
        self._frame += 1
        return self._end(list(self._open))

    def _begin_scene(self) -> None:
        self._scene = self._frame if self._frame >= 0 else 0
        self._recent.clear()
        # Coordinates are pixels; little inertia, since heads stop and turn at once.
        self._norfair = norfair.Tracker(
            "euclidean", NEAR, hit_counter_max=self._patience, initialization_delay=0, past_detections_length=0,
            filter_factory=norfair.OptimizedKalmanFilterFactory(R=4.0, Q=1.0),
        )  # fmt: skip
        self._numbers: dict[int | None, int] = {}
        self._norfair.distance_function = _Nearness(self._open, self._numbers)

    def _match(self, faces: Sequence[Face]) -> list[tuple[int, Face]]:
        """Gives every face to a track, an old one or a new one."""
        detections = [norfair.Detection(face.landmarks.astype(np.float64), data=(self._frame, face)) for face in faces]
        self._norfair.update(detections)
        matched = []
        for known in self._norfair.tracked_objects:
            frame, face = known.last_detection.data
            if frame != self._frame:
                continue
            # A new face is waited for as long as an old one.
            known.hit_counter = self._patience
            if known.id not in self._numbers:
                self._numbers[known.id] = self._count
                self._open[self._count] = _Open(self._count, self._frame, self._room_before(face))
                self._count += 1
            track = self._open[self._numbers[known.id]]
            self._bridge(track, face)
            matched.append((track.number, face))
        return matched

    def _bridge(self, track: _Open, face: Face) -> None:
        """Lengthens a track to this frame, over the frames in which its face was not found."""
        missing = self._frame - track.last_detected - 1
        if track.seen and missing:
            for between in _filled(track.last_face, face, track.tail[:missing], missing):
                track.add(between, FILLED)
        track.add(face, DETECTED)
        track.tail, track.is_lost, track.is_over = [], False, False

    def _follow_on(self, track: _Open, gray: Gray) -> None:
        """Where a face that was not found went in this frame."""
        if len(track.tail) >= self._reach(track) or track.is_over:
            track.is_lost = True
            return
        there = None if track.is_lost or not self._recent else follow(self._recent[-1], gray, track.expected)
        track.is_lost = there is None
        if there is not None or len(track.tail) < self._least:
            track.tail.append(there or track.expected)

    def _reach(self, track: _Open) -> int:
        """For how many frames a track is carried on at most: longer the more often its face was found."""
        return min(self._carried, max(self._least, CARRIED_PER_DETECTION * track.detections))

    def _hand_over(self, track: _Open, matched: Sequence[tuple[int, Face]]) -> None:
        """Ends the following of a face that another track has found."""
        if track.tail and not track.is_over and any(number != track.number and are_one(track.tail[-1], face) for number, face in matched):
            track.tail.pop()
            track.is_lost = track.is_over = True

    def _follow_back(self, track: _Open) -> None:
        """Where the face was before it was found first."""
        pictures = list(self._recent)
        # The last picture is this frame's.
        start = len(pictures) - 1 - (self._frame - track.first)
        face = _face(np.array(track.rows[:NUMBERS], np.float32))
        for index in range(start, max(start - self._reach(track), 0), -1):
            there = follow(pictures[index], pictures[index - 1], face)
            frame = track.first - 1 - len(track.entrance)
            if there is None or self._is_taken(there, frame, track):
                return
            face = there
            track.entrance.append(face)

    def _room_before(self, face: Face) -> int:
        """For how many of the last frames a face that is found now may have been at its place already, unless another is there."""
        frames = range(self._frame - 1, max(self._frame - 1 - self._least, self._scene - 1), -1)
        return next((self._frame - 1 - frame for frame in frames if self._is_taken(face, frame, None)), len(frames))

    def _is_taken(self, face: Face, frame: int, but: _Open | None) -> bool:
        """Whether another open track has this face in an earlier frame."""
        for track in self._open.values():
            index = frame - track.first
            if track is but or index < 0:
                continue
            if index < len(track.seen):
                other = _face(np.array(track.rows[index * NUMBERS : (index + 1) * NUMBERS], np.float32))
            elif index - len(track.seen) < len(track.tail):
                other = track.tail[index - len(track.seen)]
            else:
                continue
            if are_one(face, other):
                return True
        return False

    def _end(self, numbers: Iterable[int]) -> list[Track]:
        ended = [self._open.pop(number) for number in numbers]
        return [self._closed(track) for track in ended if track.best >= SURE or self._lasts(track)]

    def _lasts(self, track: _Open) -> bool:
        return track.detections >= LASTING_S * self._rate and track.total / track.detections >= LASTING

    def _closed(self, track: _Open) -> Track:
        """The track with its ends, steadied."""
        middle = np.array(track.rows, np.float32).reshape(-1, NUMBERS)
        entrance = track.entrance + [track.entrance[-1] if track.entrance else _face(middle[0])] * (track.room - len(track.entrance))
        tail = track.tail[: self._frame - 1 - track.last_detected]
        raw = np.concatenate([_rows(entrance[::-1]), middle, _rows(tail)])
        seen = np.concatenate([np.full(len(entrance), CARRIED), np.frombuffer(bytes(track.seen), np.uint8), np.full(len(tail), CARRIED)]).astype(
            np.uint8
        )
        sizes = np.sqrt(np.maximum((raw[:, 2] - raw[:, 0]) * (raw[:, 3] - raw[:, 1]), 1.0)).astype(np.float64)
        rows = np.concatenate([smoothed(raw[:, :14].astype(np.float64), sizes, self._rate), raw[:, 14:]], 1).astype(np.float32)
        for index in np.flatnonzero(seen == DETECTED):
            if shared(_face(raw[index]), _face(rows[index])) < COVERED:
                rows[index] = raw[index]
        first = track.first - len(entrance)
        return Track(track.number, first, rows, seen, track.first, track.last_detected, track.detections <= INSTANT)


class _Nearness(Distance):
    """How far the landmarks of a found face are from where a track expects them, in sides of the face."""

    def __init__(self, tracks: dict[int, _Open], numbers: dict[int | None, int]) -> None:
        self._tracks, self._numbers = tracks, numbers

    def get_distances(self, objects: Sequence[norfair.TrackedObject], candidates: Sequence[norfair.Detection] | None) -> NDArray[np.float64]:  # type: ignore[override]
        distances = np.full((len(candidates or ()), len(objects)), np.inf)
        for row, candidate in enumerate(candidates or ()):
            face = candidate.data[1]
            side = max((face.width * face.height) ** 0.5, 1.0)
            for column, known in enumerate(objects):
                expected: list[NDArray[np.floating]] = [known.estimate]
                track = self._tracks[self._numbers[known.id]]
                if track.tail:
                    expected.append(track.tail[-1].landmarks)
                apart = min(float(np.hypot(*(points - face.landmarks).T).mean()) for points in expected)
                # Of two tracks at one place the one with the longer past is it.
                distances[row, column] = apart / side + NOVELTY * max(0.0, 1 - track.detections / SETTLED)
        return distances


def without_shadows(faces: Sequence[Face]) -> list[Face]:
    """Leaves out doubtful faces on surer ones, and parts of larger sure faces that look like faces of their own: they are covered with it."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda f: f.score, reverse=True):
        if face.score < SURE and any(are_one(face, other) or is_part(face, other) or shared(face, other) > SHADOW for other in kept):
            continue
        kept.append(face)
    return [f for f in kept if not any(other.score >= SURE and is_part(f, other) and shared(f, other) > PART for other in kept if other is not f)]


def _filled(before: Face, after: Face, followed: Sequence[Face], missing: int) -> list[Face]:
    """Faces for the frames between two detections: along the followed way where there is one, bent to end at the second; else straight."""
    a, b = _rows([before])[0], _rows([after])[0]
    along = _rows(followed) if len(followed) == missing else None
    faces = []
    for index in range(missing):
        share = (index + 1) / (missing + 1)
        # What the way still misses at its end is spread over it.
        row = a + share * (b - a) if along is None else along[index] + share * (b - along[-1])
        faces.append(_face(row))
    return faces


def shared(face: Face, other: Face) -> float:
    """The share of a face's box that another's covers, 0 to 1."""
    width = min(face.box[2], other.box[2]) - max(face.box[0], other.box[0])
    height = min(face.box[3], other.box[3]) - max(face.box[1], other.box[1])
    return max(width, 0.0) * max(height, 0.0) / max(face.width * face.height, 1e-6)


def _rows(faces: Sequence[Face]) -> Floats:
    return np.array([(*f.box, *f.landmarks.ravel(), f.score) for f in faces], np.float32).reshape(-1, NUMBERS)


def _face(row: NDArray[np.floating]) -> Face:
    x0, y0, x1, y1 = (float(v) for v in row[:4])
    return Face((x0, y0, x1, y1), row[4:14].reshape(5, 2).astype(np.float32), float(row[14]))
