"""Is the person gone? With made-up recognisers and detectors."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from masquerade.audit import Audit
from masquerade.faces.yunet import YuNet
from masquerade.types import Face, Floats, Pixels

SPOTS = np.array([[40, 40], [60, 40], [50, 50], [42, 60], [58, 60]], np.float32)
FACE = Face((30, 25, 70, 75), SPOTS, 0.9)


class ByColour:
    """Takes the colour under the nose for the person."""

    def embed(self, photo: Pixels, face: Face) -> Floats:
        x, y = face.landmarks[2].astype(int)
        vector = photo[y, x].astype(np.float32)
        return vector / max(float(np.linalg.norm(vector)), 1e-9)


class Broken:
    def embed(self, photo: Pixels, face: Face) -> Floats:
        raise cv2.error("no network")


def nothing(photo: Pixels) -> list[Face]:
    return []


def seen_at(x: float, y: float) -> Face:
    """FACE moved by x, y, as a detector reports it in the 150 x 150 pixels around FACE that the audit shows."""
    x, y = x + 24.5, y + 24.5
    box = (FACE.box[0] + x, FACE.box[1] + y, FACE.box[2] + x, FACE.box[3] + y)
    return replace(FACE, box=box, landmarks=SPOTS + np.float32([x, y]))


def painted(nose: tuple[int, int, int], lower: tuple[int, int, int] | None = None) -> Pixels:
    """A photo with one colour under the nose, another one 8 pixels lower."""
    photo = np.full((100, 100, 3), 9, np.uint8)
    photo[46:54, 46:54] = nose
    photo[54:62, 46:54] = lower or nose
    return photo


RED, GREEN = (200, 0, 0), (0, 200, 0)


def test_same_and_different_people() -> None:
    audit = Audit(ByColour(), nothing, threshold=0.3, margin=0.05)
    assert audit.similarity(painted(RED), painted(RED), FACE) == pytest.approx(1)
    assert audit.similarity(painted(RED), painted(GREEN), FACE) == pytest.approx(0)


@pytest.mark.parametrize(
    ("similarity", "gone"), [(None, False), (0.9, False), (0.3, False), (0.26, False), (0.24, True), (-0.5, True), (float("nan"), False)]
)
def test_passes_only_below_the_threshold_less_the_margin(similarity: float | None, gone: bool) -> None:
    assert Audit(ByColour(), nothing, threshold=0.3, margin=0.05).passes(similarity) is gone


def test_person_still_there_at_the_place_that_a_detector_finds_now() -> None:
    """Gone at the original landmarks, but there 8 pixels lower, where the detector sees the face in the result."""

    def lower_in_results(photo: Pixels) -> list[Face]:
        return [seen_at(0, 8)]

    result = painted(GREEN, RED)
    assert Audit(ByColour(), nothing, 0.3).similarity(painted(RED), result, FACE) == pytest.approx(0)
    assert Audit(ByColour(), lower_in_results, 0.3).similarity(painted(RED), result, FACE) == pytest.approx(1)


def test_face_elsewhere_is_not_compared() -> None:
    def far_away(photo: Pixels) -> list[Face]:
        return [seen_at(45, 0)]

    assert Audit(ByColour(), far_away, 0.3).similarity(painted(RED), painted(GREEN), FACE) == pytest.approx(0)


def test_detector_sees_a_small_picture_around_the_face() -> None:
    seen: list[tuple[int, ...]] = []

    def watch(photo: Pixels) -> list[Face]:
        seen.append(photo.shape)
        return []

    large = Face((1000, 1000, 2000, 2250), SPOTS * 20 + 500, 0.9)
    Audit(ByColour(), watch, 0.3).similarity(np.zeros((3000, 3000, 3), np.uint8) + 9, np.zeros((3000, 3000, 3), np.uint8) + 9, large)
    Audit(ByColour(), watch, 0.3).similarity(painted(RED), painted(RED), FACE)
    assert all(max(shape[:2]) <= 224 for shape in seen)
    assert len(seen) == 4


def test_detector_sees_a_lying_face_upright() -> None:
    """Lying on its side, eyes left of the mouth; the spot that the detector answers with is the nose's, turned with the picture."""
    photo = np.full((200, 200, 3), 9, np.uint8)
    photo[95:105, 95:105] = RED
    eyes_left = np.array([[90, 110], [90, 90], [100, 100], [110, 108], [110, 92]], np.float32)
    lying = Face((75, 80, 125, 120), eyes_left, 0.9)
    seen: list[tuple[float, float]] = []

    def at_the_red_spot(small: Pixels) -> list[Face]:
        ys, xs = np.nonzero(small[..., 0] > 150)
        seen.append((float(xs.mean()), float(ys.mean())))
        return [Face((0, 0, 50, 50), np.array([seen[-1]], np.float32).repeat(5, 0), 0.9)]

    person = Audit(ByColour(), at_the_red_spot, 0.3).describe(photo, lying)
    assert person is not None
    assert np.allclose(person, person[0])
    assert len(person) == 2
    photo[95:105, 110:120] = RED
    Audit(ByColour(), at_the_red_spot, 0.3).describe(photo, lying)
    # What lay towards the mouth, on the right, lies below when the face is upright.
    assert seen[1][1] > seen[0][1] + 5
    assert seen[1][0] == pytest.approx(seen[0][0], abs=1)


def test_a_thorough_look_also_asks_the_detector_about_the_whole_picture() -> None:
    """Near the face it is found at the nose; in the whole picture, lower, where another colour is."""
    photo = painted(RED, lower=GREEN)

    def lower_in_the_whole_picture(picture: Pixels) -> list[Face]:
        return [replace(FACE, landmarks=SPOTS + np.float32([0, 8]))] if picture.shape == photo.shape else [seen_at(0, 0)]

    audit = Audit(ByColour(), lower_in_the_whole_picture, 0.3)
    quick, thorough = audit.describe(photo, FACE), audit.describe(photo, FACE, whole_px=max(photo.shape))
    assert quick is not None and thorough is not None
    assert (len(quick), len(thorough)) == (2, 5)
    assert thorough[2] @ quick[0] == pytest.approx(0, abs=0.01)


def test_a_part_of_a_large_photo_is_also_looked_at_as_small_as_tools_see_it() -> None:
    photo = painted(RED, lower=GREEN)
    shapes: list[tuple[int, ...]] = []

    def remembers(picture: Pixels) -> list[Face]:
        shapes.append(picture.shape[:2])
        return []

    Audit(ByColour(), remembers, 0.3).describe(photo, FACE, whole_px=2560)
    height, width = photo.shape[:2]
    assert {(height // 2, width // 2), (height // 4, width // 4)} <= set(shapes)


def test_found_landmarks_come_back_in_the_photo_s_pixels() -> None:
    """A face in a corner of a large photo, shrunk for the detector, which answers in the small picture's pixels."""
    photo = np.full((2000, 2000, 3), 9, np.uint8)
    photo[1000:1100, 1200:1300] = RED
    face = Face((800, 800, 1400, 1400), np.full((5, 2), 1100, np.float32), 0.9)

    def at_the_red_spot(small: Pixels) -> list[Face]:
        ys, xs = np.nonzero(small[..., 0] > 150)
        spot = np.array([[xs.mean(), ys.mean()]], np.float32)
        return [Face((0, 0, 50, 50), spot.repeat(5, 0), 0.9)]

    assert Audit(ByColour(), at_the_red_spot, 0.3).similarity(photo, photo, face) == pytest.approx(1)
    gone = np.full_like(photo, 9)
    gone[1000:1100, 1200:1300] = GREEN
    assert not Audit(ByColour(), nothing, 0.3).passes(Audit(ByColour(), nothing, 0.3).similarity(photo, gone, face))


@pytest.mark.parametrize("face", [FACE, replace(FACE, landmarks=np.full((5, 2), np.nan, np.float32))])
def test_what_cannot_be_measured_does_not_pass(face: Face) -> None:
    audit = Audit(Broken(), nothing, threshold=0.3)
    similarity = audit.similarity(painted(RED), painted(GREEN), face)
    assert similarity is None
    assert not audit.passes(similarity)


def test_vector_of_zeros_or_nan_cannot_be_measured() -> None:
    class Fixed:
        def __init__(self, value: float) -> None:
            self.value = value

        def embed(self, photo: Pixels, face: Face) -> Floats:
            return np.full(3, self.value, np.float32)

    for value in (0.0, float("nan"), float("inf")):
        assert Audit(Fixed(value), nothing, 0.3).similarity(painted(RED), painted(RED), FACE) is None


@pytest.mark.parametrize(("plain", "seen"), [(0.28, 0.5), (0.1, 0.1)])
def test_in_doubt_the_finished_photo_is_looked_at_with_landmarks_a_little_elsewhere(plain: float, seen: float) -> None:
    class Fickle:
        """Sees more of the person as soon as a landmark moves."""

        def embed(self, photo: Pixels, face: Face) -> Floats:
            moved = not np.array_equal(face.landmarks, SPOTS)
            cosine = 1.0 if photo[0, 0, 0] == 0 else 0.5 if moved else plain
            return np.array([cosine, np.sqrt(1 - cosine**2)], np.float32)

    original, result = np.zeros((100, 100, 3), np.uint8), np.ones((100, 100, 3), np.uint8)
    audit = Audit(Fickle(), lambda photo: [FACE], threshold=0.35, margin=0.05)
    assert audit.last_look(original, result, [FACE]) == [pytest.approx(seen)]


def test_a_face_that_is_not_found_in_the_finished_photo_is_compared_where_it_was() -> None:
    photo = np.full((100, 100, 3), 90, np.uint8)
    audit = Audit(ByColour(), lambda seen: [FACE] if seen is photo else [], threshold=0.35, margin=0.05)
    assert audit.last_look(photo, photo.copy(), [FACE]) == [pytest.approx(1)]


def test_who_is_not_found_in_the_original_has_no_likeness() -> None:
    photo = np.zeros((100, 100, 3), np.uint8)
    audit = Audit(ByColour(), lambda seen: [], threshold=0.35, margin=0.05)
    assert audit.last_look(photo, photo.copy(), [FACE]) == [None]


def test_in_place_the_detector_sees_what_it_sees_in_the_whole_photo() -> None:
    photo = np.full((700, 900, 3), 90, np.uint8)
    photo[101:613, 203:715] = astronaut()
    yunet, seen = YuNet(0.6), list[Face]()

    class Remembers:
        """Remembers where it was asked to look."""

        def embed(self, photo: Pixels, face: Face) -> Floats:
            seen.append(face)
            return np.array([1, 0], np.float32)

    (face,) = yunet(photo)
    audit = Audit(Remembers(), yunet, threshold=0.35)
    vectors = audit.describe_at(photo, [face, *audit.found_in_place(photo, face)])
    assert vectors is not None and len(vectors) == 2
    assert np.abs(seen[1].landmarks - face.landmarks).max() < 0.5
