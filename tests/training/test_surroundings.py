"""The witness tells what faces are taken for, SurroundingsNet what surrounds them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from masquerade.errors import MasqueradeError
from masquerade.faces.scene import HIDDEN
from masquerade.training import surroundings, witness
from masquerade.training.data import PEOPLE, SCENES, open_prepared
from masquerade.training.loop import CHECKPOINT, Budget


@pytest.fixture
def data(prepared: Path, tmp_path: Path) -> Path:
    """The drawn faces, as their own scenes, beside each other in a gray frame."""
    folder = tmp_path / "data"
    shutil.copytree(prepared, folder)
    scenes = np.array(np.load(folder / "crops.npy"))
    scenes[:, :10] = HIDDEN
    np.save(folder / SCENES, scenes)
    return folder


def test_labels_come_from_folders_and_names(data: Path) -> None:
    prepared = open_prepared(data)
    prepared.table[0]["file"] = "31_0_1_2017.jpg"
    sexes, ages, origins = witness.labels_of(prepared, np.arange(4))
    assert sexes.tolist() == [0, 1, 0, 0] and ages.tolist() == [31, -1, -1, -1] and origins.tolist() == [1, -1, -1, -1]


def test_what_is_unknown_is_no_loss() -> None:
    told = torch.tensor([[2.0, 0.0], [0.0, 1.0]], requires_grad=True)
    losses = witness.told_loss(told, torch.tensor([1.0, np.nan]), torch.tensor([np.nan, np.nan]))
    assert losses["sex"].item() == pytest.approx(np.log(1 + np.exp(-2)), abs=1e-5) and losses["age"].item() == 0
    torch.stack(list(losses.values())).sum().backward()
    assert told.grad is not None and told.grad[1].abs().max() == 0


def test_the_witness_then_the_network_are_trained_and_go_on(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "witness"
    witness.train(data, out, Budget(16, 8))
    people = np.load(data / PEOPLE)
    assert people.shape == (24, 2) and np.isfinite(people).all() and ((people[:, 0] > 0) & (people[:, 0] < 1)).all()
    # What is known is kept.
    assert (people[[0, 1], 0] > 0.9).all() and (people[[2, 3], 0] < 0.1).all()
    told = witness.Witness(out / CHECKPOINT)(np.load(data / "crops.npy")[:3])
    assert told.shape == (3, 2) and np.isfinite(told).all()

    run = tmp_path / "runs" / "surroundings"
    for pictures, steps in ((16, 2), (24, 3)):
        surroundings.train(data, run, surroundings.Preset(Budget(pictures, 8)))
        state = torch.load(run / CHECKPOINT, weights_only=True)
        assert state["step"] == steps
    assert all(value.isfinite().all() for value in state["parts"]["average"].values())


def test_missing_steps_are_named(prepared: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(MasqueradeError, match="train prepare"):
        surroundings.train(prepared, tmp_path / "run", surroundings.Preset(Budget(8, 8)))
    with pytest.raises(MasqueradeError, match=r"training\.witness"):
        surroundings.train(data, tmp_path / "run", surroundings.Preset(Budget(8, 8)))
