from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from masquerade.errors import MasqueradeError
from masquerade.networks.identity import IdentityNet
from masquerade.training.data import open_prepared
from masquerade.training.identity import (
    Budget,
    Preset,
    area_under_curve,
    contrastive_loss,
    distillation_losses,
    people_of,
    train,
    verification_auc,
)

IDENTITIES = [0, 0, 0, 1, 1, 2, -1, -1, 3, 3, 4, 4]
SPLITS = ["train"] * 8 + ["val", "val", "test", "test"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path / "data"
    folder.mkdir()
    np.save(folder / "crops.npy", rng.integers(0, 256, (len(SPLITS), 128, 128, 3), dtype=np.uint8))
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "source", "identity", "split", "made_up"])
        writer.writerows([f"{i}.jpg", "drawn", IDENTITIES[i], SPLITS[i], 0] for i in range(len(SPLITS)))
    return folder


def write_teacher(data: Path) -> None:
    teacher = np.random.default_rng(1).normal(size=(len(SPLITS), 16)).astype(np.float16)
    teacher[7] = np.nan
    np.save(data / "teacher.npy", teacher)


@pytest.mark.parametrize("side", [64, 128])
def test_codes_are_unit_vectors(side: int) -> None:
    codes = IdentityNet().eval()(torch.rand(3, 3, side, side) * 2 - 1)
    assert codes.shape == (3, 128)
    assert codes.norm(dim=1).tolist() == pytest.approx([1, 1, 1], abs=1e-5)


def test_the_edge_of_the_crop_is_not_looked_at_and_the_face_has_a_gradient() -> None:
    picture = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)).requires_grad_()
    IdentityNet().eval()(picture)[:, 0].sum().backward()
    assert picture.grad is not None
    assert picture.grad[:, :, :8].abs().max() == 0
    assert picture.grad[:, :, 40:90, 40:90].abs().max() > 0


def test_people_with_two_photos_make_pairs(data: Path) -> None:
    people = people_of(open_prepared(data))
    assert [p.tolist() for p in people.photos] == [[0, 1, 2], [3, 4]]
    assert people.teacher is None


def test_rows_without_an_embedding_are_not_taught(data: Path) -> None:
    write_teacher(data)
    assert people_of(open_prepared(data)).taught.tolist() == list(range(7))


def test_says_what_is_missing_where_nobody_is_known_twice(data: Path) -> None:
    table = (data / "table.csv").read_text().splitlines()
    rows = [",".join([*line.split(",")[:2], "-1", *line.split(",")[3:]]) for line in table[1:]]
    (data / "table.csv").write_text("\n".join([table[0], *rows]))
    with pytest.raises(MasqueradeError, match=r"identity\.csv"):
        people_of(open_prepared(data))


def test_contrastive_loss_of_known_codes() -> None:
    """Pairs on top of each other, strangers at right angles, so that their distance is the root of two."""
    axes = torch.eye(128)[:2]
    codes, identities = axes.repeat_interleave(2, 0), torch.tensor([0, 0, 1, 1])
    assert contrastive_loss(codes, identities, 1.0).item() == pytest.approx(0, abs=1e-5)
    assert contrastive_loss(codes, identities, 2.0).item() == pytest.approx((2 - 2**0.5) ** 2 / 2, abs=1e-4)
    apart = contrastive_loss(axes.repeat(2, 1), torch.tensor([0, 0, 1, 1]), 0.0)
    assert apart.item() == pytest.approx(2 / 2, abs=1e-4)


def test_contrastive_loss_of_equal_codes_has_a_finite_gradient() -> None:
    codes = torch.ones(4, 128).div(128**0.5).requires_grad_()
    contrastive_loss(codes, torch.tensor([0, 0, 1, 1]), 1.0).backward()
    assert codes.grad is not None and codes.grad.isfinite().all()


def test_a_student_like_its_teacher_has_nothing_to_learn() -> None:
    codes = torch.nn.functional.normalize(torch.randn(6, 128, generator=torch.Generator().manual_seed(0)), dim=1)
    cosine, relations = distillation_losses(codes, 3 * codes, torch.nn.Identity())
    assert cosine.item() == pytest.approx(0, abs=1e-5) and relations.item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("scores", "positive", "area"),
    [([0.9, 0.8, 0.1], [1, 1, 0], 1.0), ([0.1, 0.9], [1, 0], 0.0), ([0.5, 0.5], [1, 0], 0.5), ([0.2, 0.6, 0.4, 0.8], [0, 1, 1, 0], 0.5)],
)
def test_area_under_the_curve(scores: list[float], positive: list[int], area: float) -> None:
    assert area_under_curve(np.array(scores, np.float32), np.array(positive, bool)) == pytest.approx(area)


def test_area_without_pairs_of_one_person_is_unknown() -> None:
    assert np.isnan(area_under_curve(np.zeros(3, np.float32), np.zeros(3, bool)))


@pytest.mark.parametrize("taught", [False, True])
def test_trains_a_few_steps_and_goes_on_where_it_was_stopped(taught: bool, data: Path, tmp_path: Path) -> None:
    if taught:
        write_teacher(data)
    out = tmp_path / "run"
    train(data, out, Preset(Budget(16, 8)))
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    assert state["step"] == 2
    assert all(value.isfinite().all() for value in state["parts"]["average"].values())
    train(data, out, Preset(Budget(24, 8)))
    assert torch.load(out / "checkpoint.pt", weights_only=True)["step"] == 3


def test_verification_of_a_network_that_knows_everybody(data: Path) -> None:
    prepared = open_prepared(data)
    crops = np.zeros((len(SPLITS), 128, 128, 3), np.uint8)
    for row, identity in enumerate(IDENTITIES):
        crops[row] = 40 * (identity + 2)

    class Knowing(torch.nn.Module):
        def forward(self, crops: torch.Tensor) -> torch.Tensor:
            shade = crops.mean((1, 2, 3))
            return torch.stack([shade.cos(), shade.sin()], 1)

    np.save(data / "crops.npy", crops)
    assert verification_auc(Knowing(), open_prepared(data), "train") == 1.0
    assert np.isnan(verification_auc(Knowing(), prepared, "val"))
