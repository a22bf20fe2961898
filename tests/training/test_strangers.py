"""AnonymizationNet learns from strangers who they are and where they look."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from masquerade.faces.alignment import canonical_matrix, take_crop
from masquerade.faces.landmarks import Landmarks, condition_of
from masquerade.faces.yunet import YuNet
from masquerade.networks.anonymization import irises
from masquerade.training import anonymization
from masquerade.training.expressions import MOVING, Expressions
from masquerade.training.loop import CHECKPOINT, Budget
from masquerade.training.strangers import contrast, drawn_on

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"


def test_identities_are_to_be_told_apart_and_heads_are_not() -> None:
    axes, (head, identity) = torch.eye(16), drawn_on(4)
    people = axes[8:12]
    by_identity = contrast(torch.cat([axes[identity], people]), identity)
    by_head = contrast(torch.cat([axes[head], people]), identity)
    as_the_person = contrast(torch.cat([people[head], people]), identity)
    assert by_identity < 0.1
    assert by_head > 2
    assert as_the_person > by_head


def test_every_second_head_gets_the_same_two_identities() -> None:
    head, identity = drawn_on(4)
    assert head.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert identity.tolist() == [0, 1, 0, 1, 2, 3, 2, 3]


def eyes() -> torch.Tensor:
    plane = torch.zeros(1, 1, 128, 128)
    plane[..., 48:56, 30:50] = 1
    plane[..., 48:56, 78:98] = 1
    return plane


@pytest.mark.parametrize("gaze", [-0.2, 0.0, 0.2])
def test_irises_lie_where_somebody_looks(gaze: float) -> None:
    discs = irises(eyes(), torch.tensor([[gaze, 0.0]]))[0, 0]
    x = torch.arange(128.0) + 0.5
    for half, middle in ((slice(0, 64), 40), (slice(64, 128), 88)):
        weight = discs[:, half].sum(0)
        assert float((weight * x[half]).sum() / weight.sum()) == pytest.approx(middle + 20 * gaze, abs=0.5)


def test_one_eye_has_one_iris_and_none_has_none() -> None:
    profile = torch.zeros(1, 1, 128, 128)
    profile[..., 48:56, 30:46] = 1
    discs = irises(torch.cat([profile, torch.zeros_like(profile)]), torch.zeros(2, 2))
    columns = discs[0, 0].amax(0) > 0.5
    assert columns.nonzero().min() >= 33 and columns.nonzero().max() <= 42
    assert discs[1].max() == 0


def test_expressions_are_those_that_are_measured_at_work() -> None:
    photo = np.asarray(astronaut())
    crop = take_crop(photo, canonical_matrix(YuNet(0.6)(photo)[0], 128), 128).pixels
    read = Expressions(CHECKPOINTS / "landmarks.pt")
    picture = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 127.5 - 1
    known = condition_of(Landmarks()(crop))
    assert np.abs(read.asked(picture)[0].numpy() - known).max() < 5e-3
    assert np.abs(read(picture)[0].numpy() - known[MOVING]).max() < 5e-3


def test_strangers_teach_anonymization_and_leave_the_codes_alone(prepared: Path, tmp_path: Path) -> None:
    preset = dataclasses.replace(anonymization.PRESETS["cpu"], budget=Budget(16, 8))
    guide = CHECKPOINTS / "identity.pt"
    anonymization.train(prepared, tmp_path, preset, start=CHECKPOINTS / "anonymization.pt", guide=guide, beside=CHECKPOINTS)
    row = next(csv.DictReader((tmp_path / "log.csv").open()))
    assert float(row["contrast"]) > 0 and float(row["expression"]) > 0 and float(row["away"]) >= 0
    before, after = (torch.load(p, weights_only=True)["parts"] for p in (CHECKPOINTS / "anonymization.pt", tmp_path / CHECKPOINT))
    assert all(torch.equal(v.float(), after["encoder_average"][k].float()) for k, v in before["encoder_average"].items())
    assert any(not torch.equal(v.float(), after["generator"][k].float()) for k, v in before["average"].items())
