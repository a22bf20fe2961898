"""The mean face that poses are measured against: computed once from the training faces and shipped as weights/landmarks.npz."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from masquerade.faces.landmarks import LEFT_CORNERS, MESH_POINTS, RIGHT_CORNERS, similarity_between
from masquerade.training.data import MESH
from masquerade.training.mesh import LEFT_CONTOUR
from masquerade.weights import FOLDER, write_checksums

LEFT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
NOSE_BASE = 2
LIDS_REACH = 0.1
"""Points nearer than this to the lids' edges move with them; in distances of the eyes."""

Points = NDArray[np.float64]


def mean_mesh(faces: Points) -> dict[str, NDArray[np.generic]]:
    """The mean face, its rigid points and its mirror order (see `masquerade.faces.landmarks.mesh_constants`).

    Args:
        faces: N x 478 x 3, hundreds of faces of many people and poses.
    """
    mean = _mean(faces, faces[0])
    mirror = _mirror_order(mean)
    both = np.concatenate([faces, _mirrored(faces, mirror)])
    mean = _from_the_front(_mean(both, mean), mirror, both)
    lids, brows = [*LEFT_CONTOUR, *mirror[list(LEFT_CONTOUR)]], [*LEFT_BROW, *mirror[list(LEFT_BROW)]]
    rigid = (mean[:, 1] < mean[NOSE_BASE, 1]) & (np.arange(len(mean)) < MESH_POINTS)
    rigid &= np.linalg.norm(mean[:, None] - mean[lids], axis=2).min(1) > LIDS_REACH
    rigid[brows] = False
    rigid[[*LEFT_CORNERS, *RIGHT_CORNERS]] = True
    return {"mean": mean.astype(np.float32), "rigid": np.flatnonzero(rigid), "mirror": mirror}


def _mean(faces: Points, start: Points, rounds: int = 5) -> Points:
    """Generalised Procrustes analysis: the mean of all faces, each turned, scaled and shifted to lie over that mean."""
    mean: Points = start - start.mean(0)
    for _ in range(rounds):
        total = np.zeros_like(mean)
        for face in faces:
            rotation, scale = similarity_between(mean, face)
            total += (face - face.mean(0)) @ rotation / scale
        mean = total / len(faces)
    return mean


def _mirror_order(mean: Points, rounds: int = 30) -> NDArray[np.int64]:
    """Which point each point becomes in the mirror: the mirror image is laid over the face until every point finds its partner."""
    image = mean * [-1, 1, 1]
    partner = np.arange(len(mean))
    for _ in range(rounds):
        partner = linear_sum_assignment(np.linalg.norm(image[:, None] - mean, axis=2))[1]
        image = image @ similarity_between(image, mean[partner])[0].T
    return partner.astype(np.int64)


def _mirrored(faces: Points, mirror: NDArray[np.int64]) -> Points:
    return faces[..., mirror, :] * [-1, 1, 1]


def _from_the_front(mean: Points, mirror: NDArray[np.int64], faces: Points) -> Points:
    """Turned so that it is its own mirror image and that the faces look, on average, neither up nor down; eyes one apart."""
    half, _ = cv2.Rodrigues(cv2.Rodrigues(similarity_between(_mirrored(mean, mirror), mean)[0])[0] / 2)
    mean = mean @ half
    mean = (mean + _mirrored(mean, mirror)) / 2
    pitch = np.mean([cv2.Rodrigues(similarity_between(mean, face)[0])[0][0, 0] for face in faces])
    mean = mean @ cv2.Rodrigues(np.array([pitch, 0.0, 0.0]))[0].T
    left, right = mean[list(LEFT_CORNERS)].mean(0), mean[list(RIGHT_CORNERS)].mean(0)
    placed: Points = (mean - (left + right) / 2) / np.linalg.norm(right - left)
    return placed


def write_mean(data: Path, count: int = 4000) -> None:
    """Computes landmarks.npz from the mesh.npy of a prepared folder and puts it among the shipped weights."""
    mesh = np.load(data / MESH, mmap_mode="r")
    seen = np.flatnonzero(np.isfinite(mesh[:, 0, 0]))
    rows = np.sort(np.random.default_rng(0).choice(seen, min(count, len(seen)), replace=False))
    np.savez_compressed(FOLDER / "landmarks.npz", allow_pickle=False, **mean_mesh(mesh[rows].astype(np.float64)))
    write_checksums()
