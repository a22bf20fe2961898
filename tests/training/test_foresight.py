"""The foresight is fitted to faces that the shipped networks draw onto prepared heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from masquerade.training.foresight import TRIED, write_foresight


def test_what_is_written_maps_codes_to_vectors_and_quality(heads: Path) -> None:
    told = write_foresight(heads, heads / "runs", heads, heads=5)
    assert told.startswith(f"foresight: {5 * TRIED} faces on 5 heads")
    with np.load(heads / "foresight.npz") as arrays:
        assert {name: arrays[name].shape for name in arrays} == {
            "mean": (352,),
            "common": (128,),
            "vector": (352, 128),
            "quality": (352, 14),
            "quality_mean": (8,),
        }
        assert np.isfinite(arrays["vector"]).all()
        assert np.abs(arrays["quality"]).max() > 0
