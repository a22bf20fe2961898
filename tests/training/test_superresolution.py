"""A few steps of SuperResolutionNet's training, on drawn faces."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from masquerade.errors import MasqueradeError
from masquerade.networks.superresolution import SuperResolutionNet
from masquerade.training import superresolution
from masquerade.training.export import export
from masquerade.training.loop import CHECKPOINT, Budget


@pytest.fixture(scope="module")
def large(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared folder with crops of 512 x 512."""
    folder = tmp_path_factory.mktemp("large")
    for name in ("parsing.npy", "pose.npy", "table.csv"):
        shutil.copy(prepared / name, folder)
    np.save(folder / "crops.npy", np.load(prepared / "crops.npy").repeat(4, 1).repeat(4, 2))
    return folder


def test_a_run_trains_and_is_exported(large: Path, tmp_path: Path) -> None:
    preset = dataclasses.replace(superresolution.PRESETS["cpu"], budget=Budget(2, 1))
    superresolution.train(large, tmp_path / "superresolution", preset)
    assert {p.name for p in (tmp_path / "superresolution").iterdir()} == {CHECKPOINT, "log.csv", "grid.png"}
    assert export("superresolution", tmp_path / "superresolution" / CHECKPOINT, tmp_path) < 2e-3


def test_small_crops_are_refused(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(MasqueradeError, match="--side 512"):
        superresolution.train(prepared, tmp_path, superresolution.PRESETS["cpu"])


def test_an_untrained_network_enlarges_smoothly() -> None:
    picture = torch.rand(1, 3, 32, 32) * 2 - 1
    large = SuperResolutionNet()(picture, torch.ones(1, 1, 32, 32), torch.zeros(1, 3, 128, 128))
    assert torch.equal(large, superresolution.enlarged(picture))
