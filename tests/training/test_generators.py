"""A few steps of each generating network's training: they run, learn from what they should, resume, and export."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from masquerade.errors import MasqueradeError
from masquerade.masks import replaced_mask
from masquerade.training import anonymization, harmonization, segmentation, shape
from masquerade.training.bank import write_bank
from masquerade.training.data import open_prepared
from masquerade.training.loop import CHECKPOINT, Budget, save_networks
from masquerade.training.maps import one_hot, replaced_masks
from masquerade.training.proxy import spoilt


def tiny(preset, batch: int, steps: int):
    return dataclasses.replace(preset, budget=Budget(batch * steps, batch))


@pytest.fixture(scope="module")
def runs(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two steps each, in the order in which they need each other."""
    folder = tmp_path_factory.mktemp("runs")
    shape.train(prepared, folder / "shape", tiny(shape.PRESETS["cpu"], 4, 2))
    anonymization.train(prepared, folder / "anonymization", tiny(anonymization.PRESETS["cpu"], 8, 2), side=64)
    harmonization.train(
        prepared, folder / "harmonization", tiny(harmonization.PRESETS["cpu"], 4, 2), rough=folder / "anonymization" / CHECKPOINT, side=64
    )
    return folder


@pytest.mark.parametrize("task", ["shape", "anonymization", "harmonization"])
def test_a_run_leaves_checkpoint_log_and_a_grid_to_look_at(runs: Path, task: str) -> None:
    assert {p.name for p in (runs / task).iterdir()} == {CHECKPOINT, "log.csv", "grid.png"}


def test_a_finished_run_is_not_trained_again(prepared: Path, runs: Path) -> None:
    before = torch.load(runs / "shape" / CHECKPOINT, weights_only=True)
    shape.train(prepared, runs / "shape", tiny(shape.PRESETS["cpu"], 4, 2))
    after = torch.load(runs / "shape" / CHECKPOINT, weights_only=True)
    assert before["step"] == after["step"] == 2


def test_a_run_goes_on_where_it_stopped(prepared: Path, runs: Path, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes((runs / "anonymization" / CHECKPOINT).read_bytes())
    anonymization.train(prepared, tmp_path, tiny(anonymization.PRESETS["cpu"], 8, 3), side=64)
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["step"] == 3


def test_critics_teach_from_the_first_step_of_a_continued_run(prepared: Path, runs: Path, tmp_path: Path) -> None:
    start = runs / "anonymization" / CHECKPOINT
    save_networks(start, tmp_path / "slim.pt")
    anonymization.train(prepared, tmp_path / "a", tiny(anonymization.PRESETS["cpu"], 8, 1), side=64, start=tmp_path / "slim.pt")
    harmonization.train(
        prepared, tmp_path / "h", tiny(harmonization.PRESETS["cpu"], 4, 1), rough=start, side=64, start=runs / "harmonization" / CHECKPOINT
    )
    for run, name in ((tmp_path / "a", "anonymization"), (tmp_path / "h", "harmonization")):
        before, after = (torch.load(p / CHECKPOINT, weights_only=True)["parts"]["critic"] for p in (runs / name, run))
        assert any(not torch.equal(before[k], after[k]) for k in before)


def test_drawn_maps_change_inner_faces_only(prepared: Path, runs: Path) -> None:
    from masquerade.networks.shape import ShapeVAE
    from masquerade.regions import INNER

    shapes, _ = shape.shapes_of(open_prepared(prepared), "train")
    network = ShapeVAE().eval()
    network.load_state_dict(torch.load(runs / "shape" / CHECKPOINT, weights_only=True)["parts"]["average"])
    latents = torch.randn(len(shapes.maps), 64, generator=torch.manual_seed(0))
    drawn = shape.drawn_anew(network, one_hot(shapes.maps), latents, torch.from_numpy(shapes.conditions)).argmax(1).numpy()
    inner = np.isin(shapes.maps, INNER)
    assert np.array_equal(inner, np.isin(drawn, INNER))
    assert np.array_equal(shapes.maps[~inner], drawn[~inner])
    assert (shapes.maps[inner] != drawn[inner]).any()


def test_strangers_teach_harmonization_too(prepared: Path, runs: Path, tmp_path: Path) -> None:
    preset = dataclasses.replace(tiny(harmonization.PRESETS["cpu"], 6, 2), strangers=0.34)
    rough, drawer = runs / "anonymization" / CHECKPOINT, runs / "shape" / CHECKPOINT
    harmonization.train(prepared, tmp_path, preset, rough=rough, shape=drawer)
    (row,) = csv.DictReader((tmp_path / "log.csv").open())
    assert float(row["light"]) > 0


def test_masks_of_a_batch_are_those_of_its_maps(prepared: Path) -> None:
    maps = np.load(prepared / "parsing.npy")
    masks = replaced_masks(one_hot(maps))[:, 0].numpy()
    assert np.abs(masks - np.stack([replaced_mask(m) for m in maps])).max() < 1e-3


def test_spoilt_faces_stay_pictures_and_gentle_ones_keep_their_places() -> None:
    torch.manual_seed(0)
    faces = torch.rand(8, 3, 32, 32) * 2 - 1
    rough = spoilt(faces, torch.tensor([True, False] * 4))
    assert rough.shape == faces.shape and rough.min() >= -1 and rough.max() <= 1
    assert ((rough - faces).abs().flatten(1).mean(1) > 0.01).sum() >= 6


def test_the_bank_holds_made_up_people_with_complete_codes(prepared: Path, runs: Path, tmp_path: Path) -> None:
    write_bank(runs, prepared, tmp_path)
    bank = np.load(tmp_path / "identities.npz")
    made_up_in_training = sum(r["made_up"] == "1" and r["split"] == "train" for r in open_prepared(prepared).table)
    # Blurred pictures are left out, and too few people are here to fit distributions to.
    assert 0 < len(bank["shape"]) <= made_up_in_training
    assert {len(bank[name]) for name in ("shape", "texture", "skin", "age", "female")} == {len(bank["shape"])}
    seen = np.abs(bank["texture"]).sum(2) > 0
    drawn_regions = [0, 1, 3, 4, 6, 7, 8]
    assert seen[:, drawn_regions].all()


def test_segmentation_learns_the_drawn_faces_a_little(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segmentation.train(prepared, tmp_path, tiny(segmentation.PRESETS["cpu"], 4, 3))
    losses = [line for line in (tmp_path / "log.csv").read_text().splitlines()[1:] if line]
    assert losses and (tmp_path / CHECKPOINT).exists()


def test_segmentation_learns_from_what_an_earlier_run_reads_in_photos(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset = tiny(segmentation.PRESETS["cpu"], 4, 3)
    segmentation.train(prepared, tmp_path / "first", preset)
    segmentation.train(prepared, tmp_path / "second", preset, start=tmp_path / "first" / CHECKPOINT, photos=prepared)
    assert (tmp_path / "second" / CHECKPOINT).exists()
    assert "test veiled: mean F1" in capsys.readouterr().out


def test_a_folder_without_prepared_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(MasqueradeError, match="masquerade train prepare"):
        open_prepared(tmp_path)
