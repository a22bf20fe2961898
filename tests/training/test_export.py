"""What is exported gives the same numbers as PyTorch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from masquerade.training.export import TASKS, TOLERANCE, export_network


@pytest.mark.parametrize("task", ["shape", "harmonization"])
def test_parity_of_fresh_networks(task: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = TASKS[task].build()
    # A few pictures through the batch norms, so that they are not the identity.
    network.train()(*[torch.rand(4, *shape) for shape in TASKS[task].inputs.values()])
    assert export_network(task, network.eval(), tmp_path) <= TOLERANCE
    full = sum(p.numel() for p in network.parameters()) * 4
    if task == "harmonization":
        assert (tmp_path / f"{task}.onnx").stat().st_size < 0.6 * full
