"""The projected critic learns to tell made pictures from true ones, and says so to whoever makes them; what it sees through never learns."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import pytest
import torch

from masquerade.training import anonymization, harmonization
from masquerade.training.loop import CHECKPOINT, Budget, save_networks
from masquerade.training.projected import ProjectedJudge

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"


def test_it_soon_tells_stripes_from_noise_and_gradients_lead_back() -> None:
    torch.manual_seed(0)
    judge = ProjectedJudge(2e-3)
    before = {k: v.clone() for k, v in judge.critic.projection.state_dict().items()}
    stripes = torch.ones(6, 3, 128, 128)
    stripes[..., ::8] = -1
    noise = torch.randn(6, 3, 128, 128).clamp(-1, 1).requires_grad_(True)
    said = [judge(stripes, noise, step=1000, factor=1.0) for _ in range(8)]
    assert float(said[-1][1]) < 0.5 * float(said[0][1])
    assert float(said[-1][0]) > float(said[0][0]) + 0.5
    said[-1][0].backward()
    assert noise.grad is not None and float(noise.grad.abs().sum()) > 0
    after = judge.critic.projection.state_dict()
    assert all(torch.equal(v, after[k]) for k, v in before.items())


def test_a_new_critic_does_not_count_at_first() -> None:
    torch.manual_seed(0)
    judge = ProjectedJudge(1e-3)
    assert float(judge(torch.zeros(2, 3, 128, 128), torch.ones(2, 3, 128, 128), step=0, factor=1.0)[0]) == 0


def test_it_sees_the_same_in_every_run() -> None:
    a, b = (ProjectedJudge(1e-3).critic.projection.state_dict() for _ in range(2))
    assert all(torch.equal(v, b[k]) for k, v in a.items())


@pytest.mark.parametrize("name", ["anonymization", "harmonization"])
def test_trainings_with_it_log_what_it_says_and_keep_only_its_heads(prepared: Path, tmp_path: Path, name: str) -> None:
    budget = Budget(16, 8)
    if name == "anonymization":
        anonymization.train(
            prepared,
            tmp_path,
            dataclasses.replace(anonymization.PRESETS["cpu"], budget=budget, projected=0.4),
            start=CHECKPOINTS / "anonymization.pt",
            guide=CHECKPOINTS / "identity.pt",
            beside=CHECKPOINTS,
        )
    else:
        harmonization.train(prepared, tmp_path, dataclasses.replace(harmonization.PRESETS["cpu"], budget=budget, projected=0.3), rough=None)
    row = next(csv.DictReader((tmp_path / "log.csv").open()))
    assert float(row["judge"]) > 0 and float(row["projected"]) == pytest.approx(0, abs=0.05)
    save_networks(tmp_path / CHECKPOINT, tmp_path / "slim.pt")
    parts = torch.load(tmp_path / "slim.pt", weights_only=True)["parts"]
    assert not [part for part in parts if part.startswith("heads")]
