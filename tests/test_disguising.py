"""How a clip's new face is changed where it resembles the person too much."""

from __future__ import annotations

import numpy as np
import pytest

from masquerade.disguising import NONE, Disguise, disguised, disguises
from masquerade.faces.alignment import TEMPLATE
from masquerade.types import Face, Floats

FACE = Face((20.0, 20.0, 108.0, 118.0), (TEMPLATE * 128).astype(np.float32), 0.9)
MASK = np.ones((128, 128), np.float32)


def drawn(seed: int = 0) -> Floats:
    return np.random.default_rng(seed).uniform(60, 180, (128, 128, 3)).astype(np.float32)


def test_without_a_disguise_nothing_changes() -> None:
    face = drawn()
    assert np.array_equal(disguised(face, MASK, FACE, NONE, 0), face)


def test_a_face_is_shifted_and_lit_from_a_side() -> None:
    face = drawn()
    shifted = disguised(face, MASK, FACE, Disguise(right=4 / 128), 0)
    assert np.abs(shifted[:, 10:] - face[:, 6:-4]).max() < 1
    lit = disguised(face, MASK, FACE, Disguise(below=0.2), 0) / face
    assert lit[0].max() < 0.85 and lit[-1].min() > 1.15


@pytest.mark.parametrize("patches", [0.0, 0.3])
def test_nobody_has_none_of_the_features(patches: float) -> None:
    """Two faces of the same colours, all else different, become the same."""
    veil = Disguise(veil=1.0, patches=patches)
    first, second = (disguised(drawn(seed), MASK, FACE, veil, 3) for seed in (0, 1))
    assert np.abs(first - second).mean() < 2 and np.abs(first - drawn(0)).mean() > 20
    assert not np.array_equal(first, disguised(drawn(0), MASK, FACE, Disguise(veil=1.0, patches=patches, features=1), 3))


def test_little_changes_come_first_and_nobody_last() -> None:
    tried = list(disguises(NONE))
    veils = [disguise.veil for disguise in tried]
    assert veils == sorted(veils) and veils[0] == 0 and veils[-1] == 1
    assert len(set(tried)) == len(tried) and NONE not in tried


def test_what_is_worn_is_tried_first_and_nothing_lighter() -> None:
    worn = Disguise(veil=0.5, features=2)
    tried = list(disguises(worn))
    assert tried[0] == worn and all(disguise.veil >= 0.5 for disguise in tried)


@pytest.mark.parametrize("worn", [Disguise(right=0.02), Disguise(across=-0.2), Disguise(veil=1.0, features=3)])
def test_a_disguise_is_eased_step_by_step(worn: Disguise) -> None:
    steps = 0
    while worn != NONE:
        lighter = worn.eased()
        assert lighter.veil <= worn.veil and abs(lighter.right) <= abs(worn.right) and abs(lighter.across) <= abs(worn.across)
        worn, steps = lighter, steps + 1
    assert 2 <= steps <= 6
