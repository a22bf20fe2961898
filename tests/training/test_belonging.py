"""Faces are drawn on heads, the own one first, and BelongingNet learns which is which."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from masquerade.errors import MasqueradeError
from masquerade.training import belonging
from masquerade.training.data import DRAWN
from masquerade.training.drawn import write_drawn
from masquerade.training.loop import CHECKPOINT, Budget


def test_faces_are_drawn_then_the_network_is_trained_and_goes_on(heads: Path, tmp_path: Path) -> None:
    # The first two heads only lend theirs to others.
    assert write_drawn(heads, heads / "runs", heads=4, processes=1) == 3
    drawn, crops = np.load(heads / DRAWN), np.load(heads / "crops.npy")
    assert drawn.shape == (3, 5, 128, 128, 3) and drawn.dtype == np.uint8
    # Surroundings stay, faces differ.
    assert all((faces[:, :4, :4] == faces[0, :4, :4]).all() and (faces[0, :4, :4] == crops[:, :4, :4]).all((1, 2, 3)).any() for faces in drawn)
    assert all(np.abs(faces[0].astype(int) - other).mean() > 1 for faces in drawn for other in faces[1:3])

    run = tmp_path / "runs" / "belonging"
    for pictures, steps in ((16, 2), (24, 3)):
        belonging.train(heads, run, belonging.Preset(Budget(pictures, 8)))
        state = torch.load(run / CHECKPOINT, weights_only=True)
        assert state["step"] == steps
    assert all(value.isfinite().all() for value in state["parts"]["average"].values())


def test_a_missing_step_is_named(heads: Path, tmp_path: Path) -> None:
    with pytest.raises(MasqueradeError, match=r"training\.drawn"):
        belonging.train(heads, tmp_path / "run", belonging.Preset(Budget(8, 8)))
