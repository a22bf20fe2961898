"""A few steps of SuperResolutionNet's training, on drawn faces."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from masquerade.errors import MasqueradeError
from masquerade.networks.superresolution import SuperResolutionNet, enlarged
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


def test_made_small_again_the_answer_is_what_came_in() -> None:
    """However much the network would add."""
    torch.manual_seed(1)
    network = SuperResolutionNet()
    torch.nn.init.normal_(network.exit.weight, std=0.05)
    torch.nn.init.constant_(network.exit.bias, 0.5)
    picture = enlarged(torch.rand(1, 3, 16, 16) * 2 - 1)
    with torch.no_grad():
        large = network(picture, torch.ones(1, 1, 64, 64), torch.rand(1, 3, 256, 256))
    assert (large - enlarged(picture)).abs().mean() > 0.05
    assert (F.avg_pool2d(large, 4) - picture).abs().mean() < 0.03
