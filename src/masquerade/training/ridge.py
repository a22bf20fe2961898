"""Ridge regression, for what is linear enough to need no network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ridge(features: NDArray[np.float64], truth: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
    """Weights, D or D x T, of the linear map from centred features N x D to centred truth, N or N x T; `strength` is the penalty."""
    return np.asarray(np.linalg.solve(features.T @ features + strength * np.eye(features.shape[1]), features.T @ truth))
