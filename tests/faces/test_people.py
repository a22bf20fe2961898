"""Tracks of one face are one person's; whoever is seen twice at once is two."""

from __future__ import annotations

import numpy as np
import pytest

from masquerade.faces.people import FEW_VIEWS, PORTRAITS, VIEWS, Gallery, People, Portrait
from masquerade.faces.tracks import Track
from masquerade.types import Face, Floats, Pixels

FRONTAL = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
NOISE = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)


def face(side: float = 80, x: float = 100, y: float = 60, score: float = 0.9, nose: float = 0.5) -> Face:
    landmarks = FRONTAL.copy()
    landmarks[2, 0] = nose
    return Face((x, y, x + side, y + side), (landmarks * side + np.array([x, y])).astype(np.float32), score)


def track(number: int, first: int, last: int) -> Track:
    count = last - first + 1
    return Track(number, first, np.zeros((count, 15), np.float32), np.zeros(count, np.uint8), first, last, False)


def vector(angle_degrees: float) -> Floats:
    return np.array([np.cos(np.radians(angle_degrees)), np.sin(np.radians(angle_degrees))], np.float32)


def look(angle_degrees: float, quality: float = 0.8) -> Portrait:
    """A portrait whose one pixel says who it is."""
    return Portrait(np.full((1, 1, 3), angle_degrees, np.uint8), face(), quality)


def embed(pixels: Pixels, face: Face) -> Floats:
    return vector(float(pixels[0, 0, 0]))


def test_who_comes_back_is_known_again() -> None:
    people = People(embed, 0.9)
    numbers = [
        people.person_of(track(n, *span), [look(angle)]).number
        for n, (span, angle) in enumerate([((0, 9), 10), ((0, 9), 90), ((20, 29), 15), ((20, 29), 85)])
    ]
    assert numbers == [0, 1, 0, 1]


def test_two_faces_at_once_are_two_people_however_alike() -> None:
    people = People(embed, 0.9)
    assert people.person_of(track(0, 0, 9), [look(10)]).number != people.person_of(track(1, 9, 12), [look(10)]).number


def test_the_most_alike_is_taken() -> None:
    people = People(embed, 0.5)
    for number, angle in enumerate([0, 40]):
        people.person_of(track(number, 0, 5), [look(angle)])
    assert people.person_of(track(2, 10, 12), [look(30)]).number == 1


def test_without_a_look_everybody_is_new() -> None:
    people = People(embed, 0.9)
    assert [people.person_of(track(n, 10 * n, 10 * n + 3), []).number for n in range(3)] == [0, 1, 2]
    assert people.people[0].likeness(vector(0)) == -1


def test_only_the_best_portraits_are_kept() -> None:
    people = People(embed, 0.9)
    for n in range(8):
        person = people.person_of(track(n, 10 * n, 10 * n + 3), [look(10, 0.1 + 0.1 * n), look(11, 0.15 + 0.1 * n)])
    assert person.number == 0
    assert [round(p.quality, 2) for p in person.portraits] == [round(0.85 - 0.05 * n, 2) for n in range(PORTRAITS)]


def test_the_gallery_keeps_good_looks_that_lie_apart() -> None:
    gallery = Gallery(25.0)
    for frame in range(20 * PORTRAITS):
        gallery.offer(7, frame, NOISE, face(nose=0.5 if frame % 20 == 5 else 0.62))
    looks = gallery.take(7)
    assert len(looks) == PORTRAITS
    assert all(p.quality == pytest.approx(looks[0].quality) for p in looks)
    assert gallery.take(7) == []


@pytest.mark.parametrize("bad", [face(side=15), face(score=0.5), face(x=500)])
def test_what_says_nothing_is_no_look(bad: Face) -> None:
    gallery = Gallery(25.0)
    gallery.offer(0, 0, NOISE, bad)
    assert gallery.take(0) == []


def test_blurred_faces_are_no_looks() -> None:
    gallery = Gallery(25.0)
    gallery.offer(0, 0, np.full_like(NOISE, 90), face())
    assert gallery.take(0) == []


def test_portraits_show_the_face_where_they_say() -> None:
    picture = np.zeros((400, 400, 3), np.uint8)
    large = face(side=200, x=150, y=120)
    picture[120:320, 150:350] = np.random.default_rng(1).integers(60, 255, (200, 200, 3), np.uint8)
    gallery = Gallery(25.0)
    gallery.offer(0, 0, picture, large)
    (portrait,) = gallery.take(0)
    x0, y0, x1, y1 = (round(v) for v in portrait.face.box)
    assert x1 - x0 == 96
    assert portrait.pixels[y0 + 3 : y1 - 3, x0 + 3 : x1 - 3].min() > 30
    assert portrait.pixels[: y0 - 2].max() == 0


@pytest.mark.parametrize(("side", "fewest", "most"), [(40, FEW_VIEWS, FEW_VIEWS), (60, VIEWS // 2, VIEWS)])
def test_of_people_who_always_are_small_fewer_views_are_kept(side: int, fewest: int, most: int) -> None:
    gallery, people = Gallery(25.0), People(embed, 0.9)
    for frame in range(300):
        gallery.offer(3, frame, NOISE, face(side=side))
    assert fewest <= len(people.person_of(track(3, 0, 299), gallery.take(3), gallery.take_views(3)).views) <= most


@pytest.mark.parametrize("frames", [1, 8, 300])
def test_views_are_spread_over_the_whole_track_however_bad(frames: int) -> None:
    gallery = Gallery(25.0)
    for frame in range(frames):
        picture = np.full_like(NOISE, 90)
        picture[100, 140] = frame % 256
        gallery.offer(3, frame, picture, face(score=0.4))
    views = gallery.take_views(3)
    person = People(embed, 0.9).person_of(track(3, 0, frames - 1), [], views)
    assert gallery.take(3) == gallery.take_views(3) == []
    assert 1 <= len(person.views) == len(views) <= VIEWS
    assert all(v.quality == 0 for v in views)
    if frames == 300:
        assert len(views) >= VIEWS // 2
