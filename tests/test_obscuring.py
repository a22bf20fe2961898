"""What is left of an obscured face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage.data import astronaut

from masquerade.evaluation.metrics import iou
from masquerade.faces.alignment import TEMPLATE
from masquerade.faces.recognition import THRESHOLD, SFace
from masquerade.faces.yunet import YuNet
from masquerade.obscuring import CELLS, REACH, Method, obscure
from masquerade.types import Box, Face, Pixels

METHODS: tuple[Method, ...] = ("sketch", "blur", "pixelate", "solid")


def face_of(box: Box) -> Face:
    return Face(box, np.zeros((5, 2), np.float32), 0.9)


def textured(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_recogniser_no_longer_knows_the_person() -> None:
    photo = astronaut()
    (face,) = YuNet()(photo)
    sface = SFace()
    person = sface.embed(photo, face)
    for method in METHODS:
        result = photo.copy()
        obscure(result, face, method, np.random.default_rng(0))
        assert person @ sface.embed(result, face) < THRESHOLD - 0.1, method


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("box", [(60, 50, 100, 100), (60.4, 50.7, 72.1, 64.9), (-20, 30, 25, 90), (180, 170, 260, 260), (-30, -30, 240, 240)])
def test_changes_the_face_and_nothing_far_from_it(method: Method, box: Box) -> None:
    photo = textured(200, 220)
    result = photo.copy()
    obscure(result, face_of(box), method, np.random.default_rng(0))
    x0, y0, x1, y1 = box
    ys, xs = np.mgrid[:200, :220]
    reach_x, reach_y = 0.25 * (x1 - x0) + 1, 0.25 * (y1 - y0) + 1
    far = (xs < x0 - reach_x) | (xs > x1 + reach_x) | (ys < y0 - reach_y) | (ys > y1 + reach_y)
    assert np.array_equal(result[far], photo[far])
    inner = (np.hypot((xs - (x0 + x1) / 2) / (x1 - x0), (ys - (y0 + y1) / 2) / (y1 - y0)) < 0.5)[..., None]
    assert np.abs(result.astype(int) - photo)[inner[..., 0]].mean() > 30


@pytest.mark.parametrize("method", METHODS)
def test_only_a_handful_of_colours_counts(method: Method) -> None:
    """Two faces of the same mean colours, all else different, become the same picture."""
    n = CELLS.get(method, 1)
    box = (30.0, 30.0, 30 + 20 * n / REACH, 30 + 20 * n / REACH)
    first = np.full((200, 200, 3), 120, np.uint8)
    second = first.copy()
    second[::2, ::2] += 40
    second[1::2, 1::2] -= 40
    obscure(first, face_of(box), method, np.random.default_rng(5))
    obscure(second, face_of(box), method, np.random.default_rng(5))
    middle = slice(int(30 + 5 * n), int(30 + 8 * n))
    assert np.abs(first[middle, middle].astype(int) - second[middle, middle]).max() <= 4


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", [0, 3, 128, 253, 255])
def test_even_a_face_of_one_colour_is_changed_visibly(method: Method, level: int) -> None:
    photo = np.full((120, 120, 3), level, np.uint8)
    for seed in range(5):
        result = photo.copy()
        obscure(result, face_of((40, 40, 72, 80)), method, np.random.default_rng(seed))
        assert np.abs(result[40:80, 40:72].astype(int) - level).mean() >= 4


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_same_picture_other_seed_another(method: Method) -> None:
    results = []
    for seed in (7, 7, 8):
        photo = textured(100, 100)
        obscure(photo, face_of((30, 30, 60, 70)), method, np.random.default_rng(seed))
        results.append(photo)
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_face_outside_the_photo_changes_nothing() -> None:
    photo = textured(50, 50)
    before = photo.copy()
    obscure(photo, face_of((200, 200, 240, 250)), "pixelate", np.random.default_rng(0))
    assert np.array_equal(photo, before)


def test_a_detector_still_finds_a_face_where_one_is_sketched() -> None:
    photo = astronaut()
    (face,) = YuNet()(photo)
    for seed in range(5):
        result = photo.copy()
        obscure(result, face, "sketch", np.random.default_rng(seed))
        (found,) = YuNet()(result)
        # As evaluations count it: the same place is an intersection over union of 0.4.
        assert iou(found.box, face.box) > 0.5


@pytest.mark.parametrize(("sine", "least", "most"), [(0.0, -3, 3), (0.8, 4, 20), (-0.8, -20, -4)], ids=["ahead", "right", "left"])
def test_a_sketch_is_turned_as_the_head_is(sine: float, least: float, most: float) -> None:
    """How far nostrils and mouth lie to the right of the middle, in pixels of a crop of 128, mean of ten sketches."""
    before = np.array([0, 0, 0.12, 0.04, 0.04])
    points = TEMPLATE.copy()
    points[:, 0] = 0.5 + np.sqrt(1 - sine**2) * (points[:, 0] - 0.5) + sine * before
    points[:, 0] -= points[:, 0].mean() - 0.5
    face = Face((64.0, 60.0, 192.0, 220.0), (64 + 128 * points).astype(np.float32), 0.9)
    aside = []
    for seed in range(10):
        photo = np.full((256, 256, 3), 160, np.uint8)
        plain = photo.copy()
        obscure(photo, face, "sketch", np.random.default_rng(seed))
        obscure(plain, replace(face, landmarks=face.landmarks + 1000), "sketch", np.random.default_rng(seed))
        darkness = np.maximum(plain.astype(float) - photo, 0)[136:].mean((0, 2))
        aside.append((darkness * np.arange(256)).sum() / darkness.sum() - 128)
    assert least < np.mean(aside) < most


def test_sketches_with_other_noise_have_other_features() -> None:
    photo = astronaut()
    (face,) = YuNet()(photo)
    gray = np.full_like(photo, 150)
    first, second = gray.copy(), gray.copy()
    for seed, result in ((1, first), (2, second)):
        obscure(result, face, "sketch", np.random.default_rng(seed))
    assert SFace().embed(first, face) @ SFace().embed(second, face) < 0.99
