"""One AnonymizationNet is made of two: it learns to draw one's eyes and the other's skin."""

from __future__ import annotations

import csv
from pathlib import Path

import torch

from masquerade.training.distillation import distill
from masquerade.training.loop import CHECKPOINT, Budget, save_networks

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"


def test_a_run_begins_from_the_skin_and_can_be_shipped(prepared: Path, tmp_path: Path) -> None:
    run = CHECKPOINTS / "anonymization.pt"
    distill(prepared, tmp_path, Budget(16, 8), eyes=run, skin=run, shape=CHECKPOINTS / "shape.pt")
    row = next(csv.DictReader((tmp_path / "log.csv").open()))
    # Taught by itself it only differs by the batch that it normalises with.
    assert 0 < float(row["l1"]) < 0.06
    assert (tmp_path / "grid.png").stat().st_size > 1000
    save_networks(tmp_path / CHECKPOINT, tmp_path / "slim.pt")
    old, new = (torch.load(path, weights_only=True)["parts"] for path in (run, tmp_path / "slim.pt"))
    assert set(old) == set(new)
