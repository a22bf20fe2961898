"""The foresight is fitted to faces that the shipped networks draw onto prepared heads."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from masquerade.faces.alignment import canonical_matrix, take_crop
from masquerade.faces.yunet import YuNet
from masquerade.training.foresight import TRIED, write_foresight


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    """The astronaut's crop in five lights."""
    photo = astronaut()
    crop = take_crop(photo, canonical_matrix(YuNet(0.6)(photo)[0], 128), 128).pixels
    crops = np.stack([cv2.convertScaleAbs(crop, alpha=light) for light in (0.7, 0.8, 0.9, 1.0, 1.1)])
    np.save(tmp_path / "crops.npy", crops)
    with (tmp_path / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "source", "identity", "split", "made_up"])
        writer.writerows([f"{index}.png", "nasa", -1, "train", 0] for index in range(len(crops)))
    return tmp_path


def test_what_is_written_maps_codes_to_vectors_and_quality(heads: Path) -> None:
    told = write_foresight(heads, heads, heads=5)
    assert told.startswith(f"foresight: {5 * TRIED} faces on 5 heads")
    with np.load(heads / "foresight.npz") as arrays:
        assert {name: arrays[name].shape for name in arrays} == {
            "mean": (352,),
            "common": (128,),
            "vector": (352, 128),
            "quality": (352, 10),
            "quality_mean": (5,),
        }
        assert np.isfinite(arrays["vector"]).all()
        assert np.abs(arrays["quality"]).max() > 0
