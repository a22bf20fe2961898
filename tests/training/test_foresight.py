"""The foresight is fitted to faces that the shipped networks draw onto prepared heads."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from masquerade.faces.alignment import canonical_matrix, take_crop
from masquerade.faces.scene import scene_of
from masquerade.faces.yunet import YuNet
from masquerade.generation.segmentation import Segmentation
from masquerade.networks.anonymization import TextureEncoder
from masquerade.networks.shape import ShapeVAE
from masquerade.networks.surroundings import SurroundingsNet
from masquerade.training.data import SCENES
from masquerade.training.foresight import TRIED, write_foresight
from masquerade.training.loop import CHECKPOINT


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    """The astronaut's crop and scene in five lights, read, and networks that have seen nothing yet."""
    photo = astronaut()
    crop = take_crop(photo, canonical_matrix(YuNet(0.6)(photo)[0], 128), 128)
    for name, pixels in (("crops.npy", crop.pixels), (SCENES, scene_of(photo, crop).pixels)):
        np.save(tmp_path / name, np.stack([cv2.convertScaleAbs(pixels, alpha=light) for light in (0.7, 0.8, 0.9, 1.0, 1.1)]))
    parsing = Segmentation(1)
    np.save(tmp_path / "parsing.npy", np.stack([parsing(crop) for crop in np.load(tmp_path / "crops.npy")]))
    np.save(tmp_path / "pose.npy", np.zeros((5, 10), np.float32))
    runs = {
        "witness": {"average": SurroundingsNet(pretrained=False)},
        "shape": {"average": ShapeVAE()},
        "anonymization": {"encoder_average": TextureEncoder()},
    }
    for name, parts in runs.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        torch.save({"parts": {part: network.state_dict() for part, network in parts.items()}}, tmp_path / "runs" / name / CHECKPOINT)
    with (tmp_path / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "source", "identity", "split", "made_up"])
        writer.writerows([f"{index}.png", "nasa", -1, "train", 0] for index in range(5))
    return tmp_path


def test_what_is_written_maps_codes_to_vectors_and_quality(heads: Path) -> None:
    told = write_foresight(heads, heads / "runs", heads, heads=5)
    assert told.startswith(f"foresight: {5 * TRIED} faces on 5 heads")
    with np.load(heads / "foresight.npz") as arrays:
        assert {name: arrays[name].shape for name in arrays} == {
            "mean": (352,),
            "common": (128,),
            "vector": (352, 128),
            "quality": (352, 13),
            "quality_mean": (8,),
        }
        assert np.isfinite(arrays["vector"]).all()
        assert np.abs(arrays["quality"]).max() > 0
