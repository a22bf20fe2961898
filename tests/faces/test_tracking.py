"""Tracks over moving textures: whole, without gaps, steady, and covering whatever was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from masquerade.faces.tracking import SURE, FaceTracker, without_shadows
from masquerade.faces.tracks import Track, shared
from masquerade.types import Face

RATE = 25.0
WIDTH, HEIGHT, SIDE = 320, 180, 40
LANDMARKS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])

Gray = NDArray[np.uint8]
Place = tuple[float, float]


def texture(seed: int, height: int, width: int, grain: float = 1.5) -> Gray:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).uniform(0, 255, (height, width)).astype(np.float32), (0, 0), grain)
    return cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


BACKGROUND, SKIN = texture(1, HEIGHT, WIDTH, 20) // 2 + texture(5, HEIGHT, WIDTH) // 4, texture(2, SIDE, SIDE)


def picture(*places: Place, background: Gray = BACKGROUND) -> Gray:
    """A frame with a textured square at each place (its upper left corner)."""
    frame = background.copy()
    for place in places:
        moved = np.array([[1, 0, place[0]], [0, 1, place[1]]], np.float64)
        patch = cv2.warpAffine(SKIN, moved, (WIDTH, HEIGHT))
        inside = cv2.warpAffine(np.full_like(SKIN, 255), moved, (WIDTH, HEIGHT)) > 127
        frame[inside] = patch[inside]
    return frame


def face(place: Place, score: float = 0.9, side: float = SIDE) -> Face:
    x, y = place
    return Face((x, y, x + side, y + side), (LANDMARKS * side + np.array(place)).astype(np.float32), score)


def run(frames: Sequence[Gray], faces: Sequence[Sequence[Face]], rate: float = RATE) -> list[Track]:
    tracker = FaceTracker(rate)
    tracks = [track for frame, found in zip(frames, faces, strict=True) for track in tracker.update(frame, found)[1]]
    return sorted(tracks + tracker.finish(), key=lambda t: t.first)


def line(count: int, speed: float = 3.0, start: Place = (20, 60)) -> list[Place]:
    return [(start[0] + speed * n, start[1]) for n in range(count)]


def off(track: Track, places: Sequence[Place]) -> NDArray[np.float64]:
    """How far the track's boxes are from where the square is, in pixels, for every frame of the track."""
    return np.array(
        [np.hypot(track.rows[n, 0] - places[track.first + n][0], track.rows[n, 1] - places[track.first + n][1]) for n in range(len(track.rows))]
    )


def test_one_face_is_one_track() -> None:
    places = line(30)
    (track,) = run([picture(p) for p in places], [[face(p)] for p in places])
    assert (track.first, track.end) == (0, 30)
    assert not track.is_instant
    assert off(track, places).max() < 0.5


def test_what_the_detector_missed_is_filled_in() -> None:
    places = [(20 + 3 * n, 60 + 20 * float(np.sin(n / 6))) for n in range(40)]
    missed = range(15, 25)
    (track,) = run([picture(p) for p in places], [[] if n in missed else [face(p)] for n, p in enumerate(places)])
    assert (track.first, track.end) == (0, 40)
    assert {track.seen_at(n) for n in missed} == {"filled"}
    assert off(track, places).max() < 4


def test_a_gap_is_bridged_when_the_face_was_covered() -> None:
    places = line(40, speed=0)
    hidden = range(15, 25)
    frames = [picture(background=texture(3, HEIGHT, WIDTH)) if n in hidden else picture(p) for n, p in enumerate(places)]
    # A hand fills the place but not the picture: no cut.
    frames = [np.where(np.abs(np.arange(WIDTH) - 40) < 40, frame, frames[0]).astype(np.uint8) for frame in frames]
    (track,) = run(frames, [[] if n in hidden else [face(p)] for n, p in enumerate(places)])
    assert (track.first, track.end) == (0, 40)
    assert off(track, places).max() < 1


def test_a_face_is_followed_back_to_where_it_came_in_and_on_to_where_it_left() -> None:
    places = line(50)
    (track,) = run([picture(p) for p in places], [[face(p)] if 20 <= n < 30 else [] for n, p in enumerate(places)])
    assert track.first <= 2
    assert track.end >= 48
    assert (track.first_detected, track.last_detected) == (20, 29)
    assert track.seen_at(track.first) == track.seen_at(track.end - 1) == "carried"
    assert off(track, places).max() < 4


def test_a_face_that_cannot_be_followed_is_covered_a_little_longer() -> None:
    place = (100.0, 60.0)
    frames = [picture(place) if 20 <= n < 30 else picture() for n in range(50)]
    (track,) = run(frames, [[face(place)] if 20 <= n < 30 else [] for n in range(50)])
    assert 12 <= track.first < 20
    assert 30 < track.end <= 38


def test_cuts_end_tracks() -> None:
    other = texture(4, HEIGHT, WIDTH, 20)
    place = (100.0, 60.0)
    frames = [picture(place, background=BACKGROUND if n < 15 else other) for n in range(30)]
    tracks = run(frames, [[face(place)] for _ in range(30)])
    assert [(t.first, t.end) for t in tracks] == [(0, 15), (15, 30)]


def test_light_is_no_cut() -> None:
    place = (100.0, 60.0)
    frames = [np.clip(picture(place).astype(int) + (60 if n >= 15 else 0), 0, 255).astype(np.uint8) for n in range(30)]
    assert len(run(frames, [[face(place)] for _ in range(30)])) == 1


@pytest.mark.parametrize("count", [1, 2])
def test_a_face_seen_for_an_instant_is_marked(count: int) -> None:
    place = (100.0, 60.0)
    (track,) = run([picture(place)] * 20, [[face(place)] if 8 <= n < 8 + count else [] for n in range(20)])
    assert track.is_instant
    assert track.first < 8
    assert track.end > 8 + count


@pytest.mark.parametrize(("every", "doubtful"), [(1, False), (3, True)])
def test_a_face_that_is_mostly_missed_is_marked(every: int, doubtful: bool) -> None:
    place = (100.0, 60.0)
    (track,) = run([picture(place)] * 31, [[face(place)] if n % every == 0 else [] for n in range(31)])
    assert track.is_doubtful == doubtful
    assert (track.first, track.end) == (0, 31)


def test_doubtful_findings_are_no_faces_but_lengthen_tracks() -> None:
    place = (100.0, 60.0)
    doubtful = [[face(place, 0.4)]] * 20
    assert run([picture(place)] * 20, doubtful) == []
    (track,) = run([picture(place)] * 20, [*doubtful[:10], [face(place, 0.7)], *doubtful[:9]])
    assert (track.first, track.end) == (0, 20)
    assert set(track.seen.tolist()) == {0}


def test_two_faces_that_pass_each_other_stay_two() -> None:
    left, right = line(40, 5.0, (20, 40)), line(40, -5.0, (240, 100))
    tracks = run([picture(a, b) for a, b in zip(left, right, strict=True)], [[face(b), face(a)] for a, b in zip(left, right, strict=True)])
    assert len(tracks) == 2
    assert min(off(tracks[0], left).max(), off(tracks[0], right).max()) < 1


def wandering(count: int, speed: float, seed: int) -> list[Place]:
    rng = np.random.default_rng(seed)
    steps = cv2.GaussianBlur(rng.normal(0, speed, (count, 2)).astype(np.float32), (1, 0), sigmaX=0.1, sigmaY=2.0)
    path = np.clip(np.cumsum(steps, 0) + np.array([rng.uniform(60, 220), rng.uniform(40, 100)]), 0, [WIDTH - SIDE, HEIGHT - SIDE])
    return [(float(x), float(y)) for x, y in path]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("speed", [2.0, 25.0])
def test_every_sure_finding_is_covered_in_its_frame(seed: int, speed: float) -> None:
    rng = np.random.default_rng(seed)
    places = [wandering(40, speed, 10 * seed + k) for k in range(3)]
    found: list[list[Face]] = []
    for n in range(40):
        here = [
            face((p[n][0] + rng.normal(0, 1.5), p[n][1] + rng.normal(0, 1.5)), float(rng.uniform(0.3, 1)), SIDE * rng.uniform(0.9, 1.1))
            for p in places
        ]
        here = [f for f in here if rng.uniform() < 0.7]
        if rng.uniform() < 0.1:
            here.append(face((float(rng.uniform(0, 270)), float(rng.uniform(0, 130))), 0.65, 15))
        found.append(here)
    tracks = run([picture(*(p[n] for p in places)) for n in range(40)], found)
    for n, faces in enumerate(found):
        for one in faces:
            if one.score >= SURE:
                assert max((shared(one, t.face(n)) for t in tracks if t.first <= n < t.end), default=0) > 0.5


def jitter(values: NDArray[np.floating]) -> float:
    return float(np.abs(np.diff(values, 2, axis=0)).mean())


@pytest.mark.parametrize(("path", "gain", "lag_px"), [(lambda n: (100.0, 60.0), 0.25, 0.8), (lambda n: (20 + 4.0 * n, 60.0), 0.3, 1.0)])
def test_landmarks_do_not_tremble(path: Callable[[int], Place], gain: float, lag_px: float) -> None:
    rng = np.random.default_rng(0)
    places = [path(n) for n in range(60)]
    found = [face((p[0] + rng.normal(0, 0.4), p[1] + rng.normal(0, 0.4))) for p in places]
    (track,) = run([picture(p) for p in places], [[f] for f in found])
    assert jitter(track.rows[:, 4:14]) < gain * jitter(np.array([f.landmarks.ravel() for f in found]))
    assert off(track, places).max() < lag_px


def test_a_fast_head_is_not_lagged_behind() -> None:
    places = [(140 + 60 * float(np.sin(2 * np.pi * n / 12)), 60.0) for n in range(60)]
    (track,) = run([picture(p) for p in places], [[face(p)] for p in places])
    assert off(track, places).max() < 4


@pytest.mark.parametrize("is_moving_up", [True, False])
def test_a_face_that_leaves_the_picture_keeps_its_size(is_moving_up: bool) -> None:
    """The detector squeezes a face into what is left of it; the track goes on beyond the edge."""
    speed, start = ((0.0, -3.0), (100.0, 40.0)) if is_moving_up else ((-3.0, 0.0), (40.0, 70.0))
    places = [(start[0] + speed[0] * n, start[1] + speed[1] * n) for n in range(21)]
    squeezed = []
    for x, y in places:
        share = np.array([(SIDE + min(x, 0)) / SIDE, (SIDE + min(y, 0)) / SIDE])
        corner = np.maximum((x, y), 0)
        box = (*corner.tolist(), *(corner + share * SIDE).tolist())
        squeezed.append([Face(box, (corner + share * LANDMARKS * SIDE).astype(np.float32), 0.9)])
    (track,) = run([picture(p) for p in places], squeezed)
    assert off(track, places).max() < 4
    sizes = track.rows[:, 2:4] - track.rows[:, :2]
    assert np.abs(sizes - SIDE).max() < 4


def test_parts_of_a_face_are_no_faces() -> None:
    whole, ear, doubtful = face((100, 50), 0.8, 60), face((105, 70), 0.7, 18), face((115, 55), 0.5, 55)
    neighbour = face((165, 50), 0.7, 60)
    assert without_shadows([ear, doubtful, whole, neighbour]) == [whole, neighbour]
    forehead, sure = face((100, 38), 0.65, 42), face((100, 50), 0.9, 60)
    assert without_shadows([sure, forehead]) == [sure]
    assert without_shadows([whole, forehead]) == [whole, forehead]
