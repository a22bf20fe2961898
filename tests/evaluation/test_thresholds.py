from __future__ import annotations

import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from masquerade.errors import MasqueradeError
from masquerade.evaluation.measuring import Instruments
from masquerade.evaluation.recognisers import Embedding
from masquerade.evaluation.thresholds import Thresholds, from_lfw, of_strangers, parsed
from masquerade.types import Face, Pixels


def _embedding(angle: float) -> Embedding:
    vector = np.array([np.cos(angle), np.sin(angle)])
    return Embedding(vector.astype(np.float32), vector, True)


def test_thresholds_are_quantiles_of_pairs_of_strangers() -> None:
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, 60)
    limits = of_strangers([str(n) for n in range(60)], [_embedding(a) for a in angles])
    pairs = np.abs(angles[:, None] - angles)[np.triu_indices(60, 1)]
    assert limits.sface == pytest.approx(np.quantile(np.cos(pairs), 0.999), abs=1e-5)
    assert limits.dlib == pytest.approx(np.quantile(2 * np.abs(np.sin(pairs / 2)), 0.001), abs=1e-5)


def test_photos_of_one_person_are_no_strangers() -> None:
    limits = of_strangers(["a", "a", "b"], [_embedding(0), _embedding(0.01), _embedding(1)])
    assert limits.sface == pytest.approx(np.cos(0.99), abs=1e-3)


def test_one_person_alone_is_refused() -> None:
    with pytest.raises(MasqueradeError, match="two people"):
        of_strangers(["a", "a"], [_embedding(0), _embedding(1)])


def test_thresholds_on_the_command_line() -> None:
    assert parsed("0.341,0.569") == Thresholds(0.341, 0.569)
    with pytest.raises(MasqueradeError, match=r"0\.341,0\.569"):
        parsed("much")


@pytest.fixture
def pack(tmp_path: Path, photo: Pixels) -> Path:
    """Three people in different colours, the first with two photos."""
    path = tmp_path / "lfw.tar"
    with tarfile.open(path, "w") as archive:
        for name, red in [("A/A_0001", 250), ("A/A_0002", 0), ("B/B_0001", 180), ("C/C_0001", 20)]:
            photo[40:110, 40:100, 0] = red
            content = cv2.imencode(".jpg", photo)[1].tobytes()
            entry = tarfile.TarInfo(f"lfw/{name}.jpg")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def test_lfw_is_measured_once(pack: Path, tmp_path: Path, instruments: Instruments) -> None:
    looked_at = []

    def embed(photo: Pixels, face: Face) -> Embedding:
        looked_at.append(photo)
        return instruments.embed(photo, face)

    first = from_lfw(pack, instruments.faces, embed, tmp_path / "kept.json")
    assert from_lfw(pack, instruments.faces, embed, tmp_path / "kept.json") == first
    assert len(looked_at) == 3


def test_a_missing_pack_says_what_to_give(tmp_path: Path, instruments: Instruments) -> None:
    with pytest.raises(MasqueradeError, match="--lfw"):
        from_lfw(tmp_path / "none.tar", instruments.faces, instruments.embed, tmp_path / "kept.json")
