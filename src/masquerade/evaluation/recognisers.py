"""The eyes that judge: YuNet, SFace, dlib's HOG detector and dlib's recogniser, set up apart from the pipeline.

dlib has no part in the pipeline, so it is the independent judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.errors import MasqueradeError
from masquerade.faces.geometry import scaled
from masquerade.faces.yunet import YuNet
from masquerade.types import Face, Floats, Pixels
from masquerade.weights import SFACE, wheel_path

LONGEST_PX = 1280
"""YuNet looks at photos no larger than this."""

SFACE_POINTS = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32)
"""Where SFace wants the five landmarks in its picture of 112 x 112. Source: InsightFace's template, which SFace was trained with."""

SFACE_PX = 112
DLIB_FACE_PX = 160
"""Longest side of the face in the picture that dlib is given; small faces are enlarged, as HOG sees none below 80."""

DLIB_HEAD_SHARE = 0.1
"""dlib's boxes begin lower on the forehead than YuNet's."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """What the recognisers say of a face.

    Attributes:
        sface: float32 unit vector of 128 numbers; compared by cosine.
        dlib: float64 vector of 128 numbers; compared by distance.
        hog: whether dlib's HOG detector finds a face there.
    """

    sface: Floats
    dlib: NDArray[np.float64]
    hog: bool


class Detector:
    """YuNet at its published settings, on the photo as a whole: finds what a stranger's tool would find."""

    def __init__(self) -> None:
        self._yunet = YuNet(0.6, 0.3)

    def __call__(self, photo: Pixels) -> list[Face]:
        """Finds the faces in an RGB uint8 photo, height x width x 3."""
        scale = min(1.0, LONGEST_PX / max(photo.shape[:2]))
        if scale == 1:
            return self._yunet(photo)
        small = np.asarray(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        return [scaled(face, 1 / scale) for face in self._yunet(small)]


class Recogniser:
    """SFace and dlib.

    Raises:
        MasqueradeError: dlib or its networks are not installed.
    """

    def __init__(self) -> None:
        models = find_spec("face_recognition_models")
        if find_spec("dlib") is None or models is None or not models.submodule_search_locations:
            raise MasqueradeError("The independent recogniser is missing: run `pip install dlib-bin face_recognition_models`.")
        import dlib

        folder = Path(models.submodule_search_locations[0]) / "models"
        self._sface = cv2.FaceRecognizerSF.create(str(wheel_path(SFACE)), "")
        self._hog = dlib.get_frontal_face_detector()
        self._five = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
        self._dlib = dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))
        self._rectangle = dlib.rectangle

    def __call__(self, photo: Pixels, face: Face) -> Embedding:
        """Looks at one face.

        Args:
            photo: RGB uint8, height x width x 3.
            face: box and landmarks in pixels of the photo.
        """
        x0, y0, x1, y1 = (max(0, int(v)) for v in _with_surroundings(face))
        scale = DLIB_FACE_PX / max(face.width, face.height)
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        near = np.ascontiguousarray(cv2.resize(photo[y0:y1, x0:x1], None, fx=scale, fy=scale, interpolation=interpolation))
        left, top = face.box[0] - x0, face.box[1] - y0
        edges = left, top + DLIB_HEAD_SHARE * face.height, left + face.width, top + face.height
        points = self._five(near, self._rectangle(*(int(edge * scale) for edge in edges)))
        vector = np.array(self._dlib.compute_face_descriptor(near, points))
        return Embedding(self._sface_of(photo, face), vector, len(self._hog(near, 0)) > 0)

    def _sface_of(self, photo: Pixels, face: Face) -> Floats:
        matrix = cv2.estimateAffinePartial2D(face.landmarks, SFACE_POINTS, method=cv2.LMEDS)[0]
        if matrix is None:
            raise MasqueradeError("A face's landmarks lie on one point; take the photo out of the folder.")
        aligned = cv2.warpAffine(photo, matrix, (SFACE_PX, SFACE_PX))
        vector = self._sface.feature(cv2.cvtColor(aligned, cv2.COLOR_RGB2BGR))[0]
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


def _with_surroundings(face: Face) -> tuple[float, float, float, float]:
    """The face with as much again on every side."""
    x0, y0, x1, y1 = face.box
    return x0 - face.width, y0 - face.height, x1 + face.width, y1 + face.height
