"""Who would fit where a face was: told from what surrounds it, the face itself hidden.

Two onlookers are asked, since they err in different photos: SurroundingsNet, who sees the scene, and a linear model of where hair, neck and clothes
lie and what colours they have; and whether there are earrings, which are too small for both. Of 300 photos of LFW the first tells 90% of the sexes
as a network does that sees the faces, the second 91%, both 94%, with earrings, too; of 40 portraits both 35, with earrings 37.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.generation.tensors import planes_of, to_network
from masquerade.regions import CLOTH, EARS, HAIR, HAT, INNER, NECK, OUTER
from masquerade.types import Floats, Pixels
from masquerade.weights import load_arrays, load_session

AGE_MIDDLE, AGE_UNIT = 35.0, 20.0
"""What the network tells of ages, times the unit, plus the middle, are years."""

CELLS = 8
"""The linear model is told the share of each outer class in 8 x 8 cells, and colours."""


SEEN, COUNTED, EARRINGS = 0.9, 0.55, 1.7
"""How much the odds of SurroundingsNet and of the linear model count in the sum, and what is added for earrings: fitted to 6,000 photos in which hair
and clothes are seen (1.07, 0.42), to 3,600 of hardly more than faces (0.75 and 0.65), and taken between both. That there are none says nothing."""

EARRINGS_PX = 20
"""So many pixels of a canonical crop are earrings for sure; fewer count as much less. More than 15 are seen on a quarter of the women and on 1.5% of
the men."""


class Fitting(NamedTuple):
    """Who would fit: the probability that it is a woman, and how old, in years."""

    female: float
    age: float


class Onlookers:
    """Tell who would fit."""

    def __init__(self, threads: int = 2) -> None:
        self._session = load_session("surroundings.onnx", threads)
        self._linear = LinearModel()

    def __call__(self, scene: Pixels, crop: Pixels, parsing: NDArray[np.uint8], earrings: int = 0) -> Fitting:
        """Looks at what surrounds a face.

        Args:
            scene: RGB uint8, 128 x 128 x 3, without the face; see `masquerade.faces.scene`.
            crop, parsing: as for `features_around`.
            earrings: how many pixels of the crop show some.
        """
        # In the mirror it is the same: the mean of both is steadier.
        odds, age = self._session.run(None, {"scene": to_network(np.stack([scene, scene[:, ::-1]]))})[0].mean(0)
        more_odds, years = self._linear(crop, parsing)
        worn = EARRINGS * min(earrings / EARRINGS_PX, 1.0)
        female = 1 / (1 + float(np.exp(-SEEN * odds - COUNTED * more_odds - worn)))
        return Fitting(female, float(np.clip((AGE_MIDDLE + AGE_UNIT * age + years) / 2, 1, 90)))


class LinearModel:
    """Tells by where outer classes lie, and by their colours; fitted in `masquerade.training.bank`."""

    def __init__(self) -> None:
        arrays = load_arrays("identities.npz")
        self._mean, self._scale, self._sex, self._age = (
            arrays[name].astype(np.float32) for name in ("around_mean", "around_scale", "sex_weight", "age_weight")
        )

    def __call__(self, crop: Pixels, parsing: NDArray[np.uint8]) -> tuple[float, float]:
        """Logarithm of the odds that what surrounds a face is a woman's, and years; arguments as for `features_around`."""
        features = np.append(np.clip((features_around(crop, parsing) - self._mean) / self._scale, -4, 4), 1)
        return float(features @ self._sex), float(features @ self._age)


def features_around(crop: Pixels, parsing: NDArray[np.uint8]) -> Floats:
    """Describes what surrounds a face: where each outer class lies, and the colours of hair, neck, ears, hat and clothes.

    Args:
        crop: RGB uint8, 128 x 128 x 3; no pixel of the inner face is looked at.
        parsing: merged classes, 128 x 128.

    Returns:
        483 float32.
    """
    inside = np.isin(parsing, INNER)
    planes = np.concatenate([planes_of(parsing[None])[0, list(OUTER)], inside[None].astype(np.float32)])
    side = parsing.shape[0] // CELLS
    cells = planes.reshape(len(planes), CELLS, side, CELLS, side).mean((2, 4))
    lab = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2LAB), np.float32) / np.float32(128)
    colours = []
    for label in (HAIR, NECK, EARS, HAT, CLOTH):
        pixels = lab[parsing == label]
        enough = len(pixels) >= 40
        colours += [float(enough), *(pixels.mean(0) if enough else np.zeros(3)), *(pixels.std(0) if enough else np.zeros(3))]
    return np.concatenate([cells.reshape(-1), colours]).astype(np.float32)
