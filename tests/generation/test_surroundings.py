"""Hair and clothes tell who would fit; the face does not."""

from __future__ import annotations

import dataclasses

import numpy as np
from skimage.data import astronaut

from masquerade.faces.scene import scene_of
from masquerade.faces.yunet import YuNet
from masquerade.generation.replacement import Replacement
from masquerade.generation.surroundings import features_around
from masquerade.regions import HAIR, NECK, SKIN


def test_the_inner_face_is_no_feature() -> None:
    rng = np.random.default_rng(0)
    parsing = np.full((128, 128), HAIR, np.uint8)
    parsing[30:100, 30:100], parsing[100:, 40:90] = SKIN, NECK
    crop = rng.integers(0, 256, (128, 128, 3), np.uint8)
    other = crop.copy()
    other[30:100, 30:100] = rng.integers(0, 256, (70, 70, 3), np.uint8)
    assert np.array_equal(features_around(crop, parsing), features_around(other, parsing))


def test_the_face_does_not_tell_who_is_drawn() -> None:
    photo, drawer = astronaut(), Replacement(1)
    face = YuNet(0.6)(photo)[0]
    crop = drawer.crop(photo, face)
    shares, condition, *_ = drawer.measure(crop)
    painted = photo.copy()
    x0, y0, x1, y1 = (int(v) for v in face.box)
    painted[y0 + 20 : y1 - 20, x0 + 20 : x1 - 20] = 90
    readings = [drawer.reading(crop, shares, condition, scene=scene_of(p, crop)) for p in (photo, painted)]
    told = [(r.around.female, r.around.age) for r in readings if r is not None]
    assert len(told) == 2 and told[0] == told[1]


def test_a_woman_with_long_hair_is_taken_for_one() -> None:
    photo, drawer = astronaut(), Replacement(1)
    crop = drawer.crop(photo, YuNet(0.6)(photo)[0])
    reading = drawer.read(crop, scene=scene_of(photo, crop))
    assert reading is not None and reading.around.female is not None and reading.around.female > 0.5


def test_earrings_speak_for_a_woman() -> None:
    photo, drawer = astronaut(), Replacement(1)
    crop = drawer.crop(photo, YuNet(0.6)(photo)[0])
    measured, scene = drawer.measure(crop), scene_of(photo, crop)
    readings = [drawer.reading(crop, measured.shares, measured.condition, scene=scene, earrings=pixels) for pixels in (0, 10, 40)]
    none, small, large = (r.around.female for r in readings if r is not None)
    assert none is not None and small is not None and large is not None and none < small < large


def test_nothing_beyond_the_edge_is_an_earring() -> None:
    photo, drawer = astronaut(), Replacement(1)
    crop = drawer.crop(photo, YuNet(0.6)(photo)[0])
    beyond = dataclasses.replace(crop, inside=np.zeros_like(crop.inside))
    assert drawer.measure(beyond).earrings == 0


def test_where_nobody_is_chosen_only_the_skin_is_looked_at() -> None:
    photo, drawer = astronaut(), Replacement(1)
    reading = drawer.read(drawer.crop(photo, YuNet(0.6)(photo)[0]))
    assert reading is not None and reading.around.skin is not None
    assert reading.around.female is None and reading.around.age is None
