"""Beards and painted lips are told from drawn faces, and count as far as the sex is in doubt."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from masquerade.generation.signs import SHAVEN, UNPAINTED, beard_of, paint_of, unsuited
from masquerade.regions import EYES, HAIR, LOWER_LIP, NOSE, SKIN, UPPER_LIP
from masquerade.types import Floats


def drawn(beard: float, paint: float) -> tuple[Floats, NDArray[np.uint8]]:
    """A face whose skin around the mouth is so much darker, and whose lips are so much redder, than its cheeks."""
    parsing = np.full((128, 128), HAIR, np.uint8)
    parsing[30:115, 30:98] = SKIN
    parsing[46:52, 40:88] = EYES
    parsing[50:78, 58:70] = NOSE
    parsing[86:90, 50:78], parsing[90:95, 50:78] = UPPER_LIP, LOWER_LIP
    lab = np.full((128, 128, 3), (20, 0, 0), np.float32)
    lab[parsing != HAIR] = 65, 12, 16
    lab[79:115][parsing[79:115] == SKIN] -= np.float32([beard, 0, 0])
    lab[86:95, 50:78] += np.float32([0, paint, 0])
    return lab, parsing


@pytest.mark.parametrize(("beard", "paint"), [(0.0, 3.0), (15.0, 3.0), (0.0, 20.0)])
def test_beard_and_paint_are_told(beard: float, paint: float) -> None:
    lab, parsing = drawn(beard, paint)
    assert beard_of(lab, parsing) == pytest.approx(beard, abs=1.5)
    assert paint_of(lab, parsing) == pytest.approx(paint, abs=1.5)


def test_nothing_is_told_where_nothing_is_seen() -> None:
    lab, parsing = drawn(0, 0)
    hidden = np.where(parsing == HAIR, parsing, np.uint8(SKIN))
    assert beard_of(lab, hidden) is None and paint_of(lab, hidden) is None


def test_signs_count_as_far_as_the_sex_is_in_doubt() -> None:
    beard, paint = np.float32([SHAVEN + 10, 0, SHAVEN]), np.float32([0, UNPAINTED + 10, UNPAINTED])
    woman, man, doubtful, any_sex = (unsuited(beard, paint, female) for female in (1.0, 0.0, 0.2, None))
    assert woman.tolist() == [10, 0, 0] and man.tolist() == [0, 10, 0]
    assert doubtful.tolist() == pytest.approx([5, 10, 0]) and any_sex.tolist() == [10, 10, 0]
