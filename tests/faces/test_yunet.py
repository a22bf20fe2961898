"""YuNet and SFace under ONNX Runtime say what they say under OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from masquerade.faces.recognition import CHIP_PX, SFace, alignment
from masquerade.faces.yunet import YuNet
from masquerade.types import Pixels
from masquerade.weights import SFACE, YUNET, wheel_path

PHOTO: Pixels = astronaut()


@pytest.mark.parametrize(("width", "height"), [(512, 512), (300, 411), (97, 160), (33, 20)])
def test_yunet_finds_what_it_finds_under_opencv(width: int, height: int) -> None:
    photo = np.asarray(cv2.resize(PHOTO, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    opencv = cv2.FaceDetectorYN.create(str(wheel_path(YUNET)), "", (width, height), 0.1, 0.3, 5000)
    rows = opencv.detect(cv2.cvtColor(photo, cv2.COLOR_RGB2BGR))[1]
    found = YuNet(0.1)(photo)
    assert len(found) == (0 if rows is None else len(rows))
    for face, row in zip(found, rows if found else (), strict=True):
        assert face.score == pytest.approx(float(row[14]), abs=1e-4)
        assert np.allclose(face.landmarks, row[4:14].reshape(5, 2), atol=0.01)
        assert np.allclose(face.box, (row[0], row[1], row[0] + row[2], row[1] + row[3]), atol=0.01)


def test_yunet_finds_nothing_in_an_empty_picture() -> None:
    assert YuNet(0.3)(np.zeros((50, 70, 3), np.uint8)) == []


def test_sface_says_what_it_says_under_opencv() -> None:
    (face,) = YuNet()(PHOTO)
    chip = cv2.cvtColor(cv2.warpAffine(PHOTO, alignment(face), (CHIP_PX, CHIP_PX)), cv2.COLOR_RGB2BGR)
    vector = cv2.FaceRecognizerSF.create(str(wheel_path(SFACE)), "").feature(chip)[0]
    assert SFace().embed(PHOTO, face) @ vector / np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
