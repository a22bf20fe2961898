from __future__ import annotations

import cv2
import numpy as np
import pytest

from masquerade.faces import landmarks
from masquerade.faces.landmarks import (
    CONDITION,
    INNER_LIPS,
    IRIS_LEFT,
    IRIS_RIGHT,
    LEFT_LIDS,
    MOUTH_CORNERS,
    POINTS,
    Landmarks,
    condition_of,
    mesh_constants,
    mirrored_condition,
    mirrored_points,
)
from masquerade.types import Floats


def face(rotation: tuple[float, float, float] = (0, 0, 0), scale: float = 0.27) -> Floats:
    """The mean face as it would lie in a crop."""
    turned = mesh_constants()["mean"].astype(np.float64) @ cv2.Rodrigues(np.array(rotation, np.float64))[0].T
    return (scale * turned + [0.5, 0.41, 0]).astype(np.float32)


def shaken(seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    return face(tuple(rng.normal(0, 0.3, 3))) + rng.normal(0, 0.01, (POINTS, 3)).astype(np.float32)


def number(points: Floats, name: str) -> float:
    return float(condition_of(points)[CONDITION.index(name)])


@pytest.mark.parametrize("rotation", [(0, 0, 0), (0.4, 0, 0), (0, -0.7, 0), (0, 0, 0.3), (0.2, 0.5, -0.1), (-0.3, 1.2, 0.2)])
def test_reads_the_rotation_that_the_head_has(rotation: tuple[float, float, float]) -> None:
    assert condition_of(face(rotation))[:3] == pytest.approx(rotation, abs=1e-4)


def test_a_head_that_looks_down_shows_its_chin_further_back() -> None:
    chin, brow = 152, 10
    looking_down = face((0.4, 0, 0))
    assert looking_down[chin, 2] - looking_down[brow, 2] > face()[chin, 2] - face()[brow, 2]


def test_positive_yaw_turns_the_nose_to_the_left_of_the_picture() -> None:
    assert face((0, 0.5, 0))[1, 0] < face()[1, 0]


@pytest.mark.parametrize("rotation", [(0.4, 0, 0), (0, -0.7, 0), (0, 0, 0.3), (0.2, 0.5, -0.1)])
def test_the_expression_does_not_change_with_the_rotation(rotation: tuple[float, float, float]) -> None:
    assert condition_of(face(rotation))[3:8] == pytest.approx(condition_of(face())[3:8], abs=1e-3)


def test_size_and_place_do_not_matter() -> None:
    points = shaken(0)
    assert condition_of(points * 0.5 + np.float32(0.2)) == pytest.approx(condition_of(points), abs=1e-4)


def test_an_open_mouth() -> None:
    points = face()
    shut, wide = points.copy(), points.copy()
    upper, lower = [u for u, _ in INNER_LIPS], [w for _, w in INNER_LIPS]
    shut[lower] = shut[upper]
    wide[lower, 1] += 0.05
    assert number(shut, "mouth_opening") == pytest.approx(0, abs=1e-4)
    assert number(wide, "mouth_opening") == pytest.approx(number(points, "mouth_opening") + 0.05 / 0.27, abs=1e-3)


def test_a_smile_is_wider_and_its_corners_are_higher() -> None:
    smiling = face()
    smiling[list(MOUTH_CORNERS)] += np.array([[-0.02, -0.01, 0], [0.02, -0.01, 0]], np.float32)
    assert number(smiling, "mouth_width") > number(face(), "mouth_width") + 0.1
    assert number(smiling, "mouth_lift") > number(face(), "mouth_lift") + 0.02


def test_a_wink_closes_the_eye_on_its_side() -> None:
    winking = face()
    winking[[u for u, _ in LEFT_LIDS]] = winking[[w for _, w in LEFT_LIDS]]
    assert number(winking, "left_eye_opening") == pytest.approx(0, abs=1e-4)
    assert number(winking, "right_eye_opening") == pytest.approx(number(face(), "right_eye_opening"), abs=1e-4)


@pytest.mark.parametrize(("axis", "name"), [(0, "gaze_x"), (1, "gaze_y")])
def test_gaze_follows_the_irises_right_and_down(axis: int, name: str) -> None:
    looking = face()
    looking[IRIS_LEFT, axis] += 0.02
    looking[IRIS_RIGHT, axis] += 0.02
    assert number(looking, name) > number(face(), name) + 0.1


@pytest.mark.parametrize("seed", range(4))
def test_the_condition_of_the_mirror_image(seed: int) -> None:
    points = shaken(seed)
    assert condition_of(mirrored_points(points)) == pytest.approx(mirrored_condition(condition_of(points)), abs=1e-4)


def test_mirroring_twice_changes_nothing() -> None:
    points = shaken(1)
    assert mirrored_points(mirrored_points(points)) == pytest.approx(points, abs=1e-6)
    conditions = np.arange(30, dtype=np.float32).reshape(3, 10)
    assert (mirrored_condition(mirrored_condition(conditions)) == conditions).all()


@pytest.mark.parametrize("points", [np.zeros((POINTS, 3)), np.full((POINTS, 3), 0.5), np.tile(np.arange(POINTS)[:, None], 3)])
def test_a_face_that_is_none_gives_finite_numbers(points: Floats) -> None:
    assert np.isfinite(condition_of(points.astype(np.float32))).all()


def test_the_irises_and_eyes_are_exchanged_in_the_mirror() -> None:
    mirror = mesh_constants()["mirror"]
    assert (mirror[mirror] == np.arange(POINTS)).all()
    assert mirror[33] == 263 and mirror[468] == 473 and mirror[10] == 10


class Session:
    """Answers with the mean brightness of each picture at every point."""

    def get_inputs(self) -> list[Session]:
        return [self]

    name = "crop"

    def run(self, _: None, feed: dict[str, Floats]) -> list[Floats]:
        crops = feed["crop"]
        assert crops.dtype == np.float32 and crops.shape[1:] == (3, 128, 128)
        return [np.broadcast_to(crops.mean((1, 2, 3))[:, None, None], (len(crops), POINTS, 3))]


@pytest.mark.parametrize("side", [64, 128, 200])
def test_crops_of_any_side_reach_the_network_from_minus_one_to_one(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmarks, "load_session", lambda name, threads: Session())
    find = Landmarks()
    assert find(np.full((side, side, 3), 255, np.uint8)) == pytest.approx(np.ones((POINTS, 3)))
    both = find.batch(np.stack([np.zeros((side, side, 3), np.uint8), np.full((side, side, 3), 255, np.uint8)]))
    assert both.shape == (2, POINTS, 3) and both.dtype == np.float32
    assert both[:, 0, 0].tolist() == pytest.approx([-1, 1])
