"""Where the faces are: real weights on one real photo, laid and cut in many ways."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from masquerade import weights
from masquerade.errors import DamagedWeights
from masquerade.faces.detection import FaceDetector
from masquerade.faces.geometry import centre, overlap, roll_degrees
from masquerade.faces.yunet import YuNet
from masquerade.types import Face, Pixels

PHOTO: Pixels = astronaut()
HEAD = PHOTO[20:260, 120:340]


@pytest.fixture(scope="module")
def find() -> FaceDetector:
    return FaceDetector(threads=2)


@pytest.fixture(scope="module")
def known() -> Face:
    """The astronaut's face as a single upright look finds it."""
    (face,) = YuNet()(PHOTO)
    return face


def canvas(height: int, width: int) -> Pixels:
    """A photo without faces: soft patches of colour."""
    coarse = np.random.default_rng(1).integers(60, 200, (5, 7, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def pasted(photo: Pixels, x: int, y: int, head_px: int) -> Pixels:
    """The photo with the astronaut's head, `head_px` high, its upper left corner at x, y."""
    width = round(head_px * HEAD.shape[1] / HEAD.shape[0])
    photo = photo.copy()
    photo[y : y + head_px, x : x + width] = cv2.resize(HEAD, (width, head_px), interpolation=cv2.INTER_AREA)
    return photo


def test_finds_the_face_once_where_it_is(find: FaceDetector, known: Face) -> None:
    (face,) = find(PHOTO)
    assert overlap(face, known) > 0.7
    assert np.abs(face.landmarks - known.landmarks).max() < 0.1 * known.width
    assert face.landmarks.dtype == np.float32


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_photo_on_its_side_or_head(find: FaceDetector, known: Face, turns: int) -> None:
    (face,) = find(np.ascontiguousarray(np.rot90(PHOTO, turns)))
    height, width = PHOTO.shape[:2]
    x, y = known.landmarks.astype(float).T
    there = {1: (y, width - 1 - x), 2: (width - 1 - x, height - 1 - y), 3: (height - 1 - y, x)}[turns]
    assert np.abs(face.landmarks - np.stack(there, 1)).max() < 0.12 * known.width
    assert abs((roll_degrees(face) - roll_degrees(known) + 90 * turns + 180) % 360 - 180) < 10


def test_small_face_in_a_large_photo(find: FaceDetector) -> None:
    # A head of 48 pixels has a face of about 20.
    (face,) = find(pasted(canvas(3000, 4000), 2901, 1777, 48))
    assert np.allclose(centre(face), (2924, 1799), atol=8)
    assert 14 < face.width < 28


def test_huge_face_that_fills_the_photo(find: FaceDetector, known: Face) -> None:
    x0, y0, x1, y1 = (int(v) for v in known.box)
    close = cv2.resize(PHOTO[y0:y1, x0:x1], None, fx=14, fy=14, interpolation=cv2.INTER_CUBIC)
    (face,) = find(close)
    assert face.width > 0.6 * close.shape[1]


@pytest.mark.parametrize("side", ["left", "right", "bottom"])
def test_face_cut_in_half_by_the_edge(find: FaceDetector, known: Face, side: str) -> None:
    x, y = (int(v) for v in centre(known))
    cut = {"left": PHOTO[:, x:], "right": PHOTO[:, :x], "bottom": PHOTO[:y]}[side]
    at = {"left": (0, y), "right": (x, y), "bottom": (x, y)}[side]
    (face,) = find(np.ascontiguousarray(cut))
    assert np.hypot(*np.subtract(centre(face), at)) < 0.5 * known.width


def test_two_heads_side_by_side_stay_two(find: FaceDetector) -> None:
    photo = canvas(400, 600)
    for x in (200, 300):
        photo[100:340, x : x + 100] = HEAD[:, 55:155]
    centres = sorted(centre(f)[0] for f in find(photo))
    assert len(centres) == 2
    assert centres[1] - centres[0] == pytest.approx(100, abs=12)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (2000, 3), (40, 40), (480, 640)])
def test_no_face_no_detection(find: FaceDetector, shape: tuple[int, int]) -> None:
    assert find(np.full((*shape, 3), 128, np.uint8)) == []
    assert find(canvas(*shape)) == []


def test_gives_the_same_again_and_leaves_the_photo_alone(find: FaceDetector) -> None:
    before = PHOTO.copy()
    first, second = find(PHOTO), find(PHOTO)
    assert [f.box for f in first] == [f.box for f in second]
    assert np.array_equal(PHOTO, before)


def test_damaged_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.WHEEL_CHECKSUMS, weights.YUNET, "0" * 64)
    with pytest.raises(DamagedWeights, match="install it again"):
        YuNet()
