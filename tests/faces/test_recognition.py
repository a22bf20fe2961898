"""Whose face it is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from masquerade import weights
from masquerade.errors import DamagedWeights
from masquerade.faces.geometry import moved
from masquerade.faces.recognition import CHIP_PX, TEMPLATE, THRESHOLD, SFace, alignment
from masquerade.faces.yunet import YuNet
from masquerade.types import Face, Pixels

PHOTO: Pixels = astronaut()


@pytest.fixture(scope="module")
def sface() -> SFace:
    return SFace()


@pytest.fixture(scope="module")
def face() -> Face:
    (found,) = YuNet()(PHOTO)
    return found


def test_unit_vector_of_128_numbers(sface: SFace, face: Face) -> None:
    vector = sface.embed(PHOTO, face)
    assert vector.shape == (128,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("turn_deg", "scale"), [(0, 0.6), (25, 1.0), (90, 1.5), (180, 0.8)])
def test_same_person_however_the_photo_lies(sface: SFace, face: Face, turn_deg: float, scale: float) -> None:
    matrix = cv2.getRotationMatrix2D((256, 256), turn_deg, scale)
    turned = cv2.warpAffine(PHOTO, matrix, (512, 512), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    assert sface.embed(PHOTO, face) @ sface.embed(turned, moved(face, matrix)) > THRESHOLD + 0.3


def test_another_face_is_another_person(sface: SFace, face: Face) -> None:
    hidden = PHOTO.copy()
    x0, y0, x1, y1 = (int(v) for v in face.box)
    hidden[y0:y1, x0:x1] = np.random.default_rng(0).integers(0, 256, (y1 - y0, x1 - x0, 3))
    assert sface.embed(PHOTO, face) @ sface.embed(hidden, face) < THRESHOLD


def test_alignment_puts_landmarks_onto_the_template() -> None:
    matrix = alignment(Face((0, 0, 10, 10), TEMPLATE * 3 + 40, 0.9))
    assert np.allclose((TEMPLATE * 3 + 40) @ matrix[:, :2].T + matrix[:, 2], TEMPLATE, atol=0.01)


@pytest.mark.parametrize("landmarks", [np.full((5, 2), 30, np.float32), np.full((5, 2), np.nan, np.float32)])
def test_alignment_without_usable_landmarks_goes_by_the_box(landmarks: np.ndarray) -> None:
    matrix = alignment(Face((10, 10, 50, 60), landmarks, 0.9))
    x, y = matrix[:, :2] @ (30, 35) + matrix[:, 2]
    assert np.isfinite(matrix).all()
    assert 0 < x < CHIP_PX
    assert 0 < y < CHIP_PX


def test_damaged_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.WHEEL_CHECKSUMS, weights.SFACE, "0" * 64)
    with pytest.raises(DamagedWeights):
        SFace()
