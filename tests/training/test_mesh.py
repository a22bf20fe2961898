from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from masquerade.faces.alignment import TEMPLATE, canonical_matrix, take_crop
from masquerade.faces.landmarks import CONDITION, IRIS_LEFT, IRIS_RIGHT, POINTS, condition_of, mirrored_condition, mirrored_points
from masquerade.types import Face, Pixels

pytest.importorskip("ai_edge_litert", reason="the mesh's networks are not installed")

from masquerade.training.mesh import Mesh

ASTRONAUT = Face((178, 63, 268, 176), np.array([[200, 102], [247, 103], [220, 125], [199, 143], [240, 144]], np.float32), 0.93)


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    return Mesh()


@pytest.fixture(scope="module")
def crop() -> Pixels:
    photo: Pixels = data.astronaut()  # type: ignore[no-untyped-call]
    return take_crop(photo, canonical_matrix(ASTRONAUT, 128), 128).pixels


def test_finds_the_eyes_of_a_smiling_woman(mesh: Mesh, crop: Pixels) -> None:
    points = mesh(crop)
    assert points is not None and points.shape == (POINTS, 3)
    assert points[IRIS_LEFT, :2].mean(0) == pytest.approx(TEMPLATE[0], abs=0.04)
    assert points[IRIS_RIGHT, :2].mean(0) == pytest.approx(TEMPLATE[1], abs=0.04)
    seen = dict(zip(CONDITION, condition_of(points), strict=True))
    assert abs(seen["pitch"]) < 0.2 and abs(seen["yaw"]) < 0.2 and abs(seen["roll"]) < 0.1
    assert seen["mouth_opening"] > 0.08 and seen["mouth_lift"] > 0.08 and seen["left_eye_opening"] > 0.2


def test_sees_the_same_in_the_mirror(mesh: Mesh, crop: Pixels) -> None:
    points, other = mesh(crop), mesh(np.ascontiguousarray(crop[:, ::-1]))
    assert points is not None and other is not None
    assert mirrored_points(other)[:, :2] == pytest.approx(points[:, :2], abs=0.03)
    assert condition_of(other) == pytest.approx(mirrored_condition(condition_of(points)), abs=0.08)


def test_sees_no_face_where_there_is_none(mesh: Mesh) -> None:
    assert mesh(np.full((128, 128, 3), 90, np.uint8)) is None
