"""Faces through a clip: one track for each face from where it came in to where it left, without gaps and without trembling.

The detector looks at every frame; norfair says which face of this frame is which of the last. What the detector misses inside a track
is filled in, what it misses before and after is followed by optical flow. A cut ends all tracks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

import norfair
import numpy as np
from norfair.distances import Distance
from numpy.typing import NDArray

from masquerade.faces.geometry import are_one, is_part, shifted
from masquerade.faces.motion import Cuts, Gray, follow
from masquerade.faces.tracks import DETECTED, FILLED, OpenTrack, Track, filled, shared
from masquerade.types import Face

SURE = 0.6
"""A face that scores this is covered wherever it is found, even once."""

LASTING_S, LASTING = 0.5, 0.5
"""A track without any sure face is a face all the same when it lasts so many seconds and scores this on average."""

INSTANT = 2
"""A track of so few detections is too short to be given a new face."""

DOUBTFUL = 0.42
"""A track of less certainty than this hardly is a face: of the evaluation clips' tracks, hands, hair, microphones and posters have 0.19 to 0.39
(a fist 0.49), faces in the dark 0.47 and more, all others 0.55 and more."""

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

CUT, STILL_CUT, AGREES = 0.02, 0.1, 0.25
"""A box that comes so near to the picture's edge is cut off by it, and stays so until it is farther away; the sides of a whole face's box
that lie inside must be so near to those that were found. All in sides of the face."""

SHADOW, PART, SURER = 0.3, 0.6, 0.2
"""A doubtful face of which a surer one covers more than the first is none; a part of a larger face lies within it by more than the second. So does
what is found on a face that is surer by more than the third, and larger: a forehead, or somebody so far behind it that nothing is seen of them."""


class FaceTracker:
    """Follows the faces of a clip, frame by frame; says at the end where each was.

    Args:
        rate: frames a second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._patience, self._carried, self._least = (max(1, round(s * rate)) for s in (PATIENCE_S, CARRIED_S, LEAST_CARRIED_S))
        self._cuts = Cuts()
        self._open: dict[int, OpenTrack] = {}
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
        matched = self._match(gray, faces)
        for track in self._open.values():
            if track.last_detected < self._frame and not track.tail and not track.is_lost:
                self._follow_on(track, gray)
            self._hand_over(track, matched)
        self._recent.append(gray)
        for number, _ in matched:
            track = self._open[number]
            if track.detections == INSTANT + 1:
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
            "euclidean", NEAR + NOVELTY, hit_counter_max=self._patience, initialization_delay=0, past_detections_length=0,
            filter_factory=norfair.OptimizedKalmanFilterFactory(R=4.0, Q=1.0),
        )  # fmt: skip
        self._numbers: dict[int | None, int] = {}
        self._norfair.distance_function = _Nearness(self._open, self._numbers)

    def _match(self, gray: Gray, faces: Sequence[Face]) -> list[tuple[int, Face]]:
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
                self._open[self._count] = OpenTrack(self._count, self._frame, self._room_before(face), face)
                self._count += 1
            track = self._open[self._numbers[known.id]]
            face = self._whole(track, face, gray)
            self._bridge(track, face)
            matched.append((track.number, face))
        return matched

    def _whole(self, track: OpenTrack, face: Face, gray: Gray) -> Face:
        """The face as it goes on beyond the picture's edge: detectors squeeze a face that is cut off into what is left of it."""
        side, last = max(face.width, face.height), track.expected
        height, width = gray.shape
        was_cut = _to_edges(last, width, height) < -CUT * side
        inside = _to_edges(face, width, height) > np.where(was_cut, STILL_CUT, CUT) * side
        if inside.all() or not self._recent or not track.seen:
            return face
        there, found = follow(self._recent[-1], gray, last), np.array(face.box)
        if there is not None and (np.abs(np.array(there.box) - found)[inside] < AGREES * side).all():
            return replace(there, score=face.score)
        if not was_cut.any():
            return face
        # It is known how large the whole face is: the sides that are seen say where.
        moved_by = np.where(inside, found - last.box, 0)
        sides_seen = np.maximum(inside[:2].astype(int) + inside[2:], 1)
        return replace(shifted(last, *((moved_by[:2] + moved_by[2:]) / sides_seen).tolist()), score=face.score)

    def _bridge(self, track: OpenTrack, face: Face) -> None:
        """Lengthens a track to this frame, over the frames in which its face was not found."""
        missing = self._frame - track.last_detected - 1
        if track.seen and missing:
            for between in filled(track.last_face, face, track.tail[:missing], missing):
                track.add(between, FILLED)
        track.add(face, DETECTED)
        track.tail, track.is_lost, track.is_over = [], False, False

    def _follow_on(self, track: OpenTrack, gray: Gray) -> None:
        """Where a face that was not found went in this frame."""
        if len(track.tail) >= self._reach(track) or track.is_over:
            track.is_lost = True
            return
        there = None if track.is_lost or not self._recent else follow(self._recent[-1], gray, track.expected)
        track.is_lost = there is None
        if there is not None or len(track.tail) < self._least:
            track.tail.append(there or track.expected)

    def _reach(self, track: OpenTrack) -> int:
        """For how many frames a track is carried on at most: longer the more often its face was found."""
        return min(self._carried, max(self._least, CARRIED_PER_DETECTION * track.detections))

    def _hand_over(self, track: OpenTrack, matched: Sequence[tuple[int, Face]]) -> None:
        """Ends the following of a face that another track has found."""
        if track.tail and not track.is_over and any(number != track.number and are_one(track.tail[-1], face) for number, face in matched):
            track.tail.pop()
            track.is_lost = track.is_over = True

    def _follow_back(self, track: OpenTrack) -> None:
        """Where the face was before it was found first."""
        pictures = list(self._recent)
        # The last picture is this frame's.
        start = len(pictures) - 1 - (self._frame - track.first)
        face = track.face(track.first) or track.last_face
        for index in range(start, max(start - self._carried, 0), -1):
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

    def _is_taken(self, face: Face, frame: int, but: OpenTrack | None) -> bool:
        """Whether another open track has this face in an earlier frame."""
        for track in self._open.values():
            other = None if track is but else track.face(frame)
            if other is not None and are_one(face, other):
                return True
        return False

    def _end(self, numbers: Iterable[int]) -> list[Track]:
        ended = [self._open.pop(number) for number in numbers]
        return [self._closed(track) for track in ended if track.best >= SURE or self._lasts(track)]

    def _closed(self, track: OpenTrack) -> Track:
        track.entrance, track.tail = track.entrance[: self._reach(track)], track.tail[: self._frame - 1 - track.last_detected]
        return track.closed(self._rate, track.detections <= INSTANT, track.certainty < DOUBTFUL)

    def _lasts(self, track: OpenTrack) -> bool:
        return track.detections >= LASTING_S * self._rate and track.total / track.detections >= LASTING


class _Nearness(Distance):
    """How far the landmarks of a found face are from where a track expects them, in sides of the face."""

    def __init__(self, tracks: dict[int, OpenTrack], numbers: dict[int | None, int]) -> None:
        self._tracks, self._numbers = tracks, numbers

    def get_distances(self, objects: Sequence[norfair.TrackedObject], candidates: Sequence[norfair.Detection] | None) -> NDArray[np.float64]:  # type: ignore[override]
        distances = np.full((len(candidates or ()), len(objects)), np.inf)
        for row, candidate in enumerate(candidates or ()):
            face = candidate.data[1]
            side = max((face.width * face.height) ** 0.5, 1.0)
            for column, known in enumerate(objects):
                track = self._tracks[self._numbers[known.id]]
                # Where it would be had it gone on as it did, and where it was or was followed to: heads turn back at once.
                apart = min(float(np.hypot(*(points - face.landmarks).T).mean()) for points in (known.estimate, track.expected.landmarks))
                if apart < NEAR * side:
                    # Of two tracks at one place the one with the longer past is it.
                    distances[row, column] = apart / side + NOVELTY * max(0.0, 1 - track.detections / SETTLED)
        return distances


def _to_edges(face: Face, width: int, height: int) -> NDArray[np.float64]:
    """How far the sides of a face's box are from the picture's edges: left, top, right, bottom; negative beyond them."""
    return np.array([face.box[0], face.box[1], width - face.box[2], height - face.box[3]])


def without_shadows(faces: Sequence[Face]) -> list[Face]:
    """Leaves out doubtful faces on surer ones, and parts of larger sure faces that look like faces of their own: they are covered with it."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda f: f.score, reverse=True):
        if face.score < SURE and any(are_one(face, other) or is_part(face, other) or shared(face, other) > SHADOW for other in kept):
            continue
        kept.append(face)
    return [f for f in kept if not any(_is_on(f, other) for other in kept if other is not f)]


def _is_on(face: Face, other: Face) -> bool:
    """Whether a face lies on a sure one, as a part of it or as what only looks like a face."""
    is_less = face.score < other.score - SURER and face.width < other.width
    return other.score >= SURE and shared(face, other) > PART and (is_part(face, other) or is_less)
