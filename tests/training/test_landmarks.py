from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch")

import torch

from masquerade.errors import MasqueradeError
from masquerade.faces.landmarks import POINTS, condition_of, mesh_constants
from masquerade.networks.landmarks import LandmarkNet
from masquerade.training import landmarks
from masquerade.training.data import open_prepared
from masquerade.training.landmarks import Budget, Preset, faces_of, figures, train
from masquerade.training.mean_mesh import mean_mesh
from masquerade.training.mesh import write_pose


def turned(rng: np.random.Generator) -> NDArray[np.float64]:
    """The mean face, turned at random, as it lies in a crop."""
    rotation = cv2.Rodrigues(rng.normal(0, 0.2, 3))[0]
    points: NDArray[np.float64] = 0.27 * mesh_constants()["mean"].astype(np.float64) @ rotation.T + [0.5, 0.41, 0]
    return points


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve pictures, two of them without a face."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "data"
    folder.mkdir()
    np.save(folder / "crops.npy", rng.integers(0, 256, (12, 128, 128, 3), dtype=np.uint8))
    mesh = np.stack([turned(rng) for _ in range(12)]).astype(np.float16)
    mesh[[3, 8]] = np.nan
    np.save(folder / "mesh.npy", mesh)
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "source", "identity", "split", "made_up"])
        writer.writerows([f"{i}.jpg", "drawn", -1, "train" if i < 6 else "val" if i < 9 else "test", 1] for i in range(12))
    return folder


def test_faces_that_the_mesh_did_not_see_are_left_out(data: Path) -> None:
    rows = faces_of(open_prepared(data)).rows
    assert rows["train"].tolist() == [0, 1, 2, 4, 5] and rows["val"].tolist() == [6, 7] and rows["test"].tolist() == [9, 10, 11]


def test_says_what_to_run_where_the_mesh_is_missing(data: Path) -> None:
    (data / "mesh.npy").unlink()
    with pytest.raises(MasqueradeError, match=r"masquerade\.training\.mesh"):
        faces_of(open_prepared(data))


def test_pose_is_written_from_the_mesh(data: Path) -> None:
    write_pose(data)
    pose, mesh = np.load(data / "pose.npy"), np.load(data / "mesh.npy")
    assert pose.shape == (12, 10) and pose.dtype == np.float32
    assert np.isnan(pose[[3, 8]]).all() and np.isfinite(np.delete(pose, [3, 8], 0)).all()
    assert pose[0] == pytest.approx(condition_of(mesh[0].astype(np.float32)))


def test_the_network_gives_points_and_begins_with_the_mean_of_the_examples() -> None:
    rng = np.random.default_rng(1)
    examples = torch.from_numpy(np.stack([turned(rng) for _ in range(20)]).astype(np.float32))
    network = LandmarkNet().eval()
    network.start_from(examples)
    assert network(torch.zeros(2, 3, 128, 128)).shape == (2, POINTS, 3)
    assert network.points.bias.detach().numpy() == pytest.approx(examples.mean(0).flatten().numpy(), abs=1e-5)
    assert sum(p.numel() for p in network.parameters()) < 1.5e6


def test_points_move_with_the_picture() -> None:
    """A bright dot stays under its point."""
    side, share = 128, np.array([[0.4, 0.6, 0.1]], np.float32)
    picture = np.zeros((side, side, 3), np.uint8)
    picture[int(0.6 * side), int(0.4 * side)] = 255
    movement = landmarks._movement(np.random.default_rng(3))
    moved, points = cv2.GaussianBlur(landmarks._moved(picture, movement), (0, 0), 1.5), landmarks._laid(share, movement)
    y, x = np.unravel_index(moved[..., 0].argmax(), (side, side))
    assert [x, y] == pytest.approx((points[0, :2] * side - 0.5).tolist(), abs=1.0)
    assert points[0, 2] / 0.1 == pytest.approx(np.sqrt(np.linalg.det(movement[:, :2])), abs=1e-4)


def test_trains_a_few_steps_and_goes_on_where_it_was_stopped(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(data, out, Preset(Budget(8, 4)))
    assert torch.load(out / "checkpoint.pt", weights_only=True)["step"] == 2
    train(data, out, Preset(Budget(12, 4)))
    assert torch.load(out / "checkpoint.pt", weights_only=True)["step"] == 3


def test_figures_of_a_network_that_knows_the_truth(data: Path) -> None:
    faces = faces_of(open_prepared(data))
    answers = iter(torch.from_numpy(faces.mesh[faces.rows["train"]].astype(np.float32))[None])

    class Knowing(torch.nn.Module):
        def forward(self, crops: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = next(answers)
            return answer

    error, agreement = figures(Knowing(), faces, "train")
    assert error == pytest.approx(dict.fromkeys(error, 0.0), abs=1e-6)
    assert agreement["yaw"] == pytest.approx(1)


def test_the_mean_mesh_is_symmetric_and_looks_straight_ahead() -> None:
    rng = np.random.default_rng(2)
    found = mean_mesh(np.stack([turned(rng) + rng.normal(0, 0.002, (POINTS, 3)) for _ in range(12)]))
    mean, mirror = found["mean"], found["mirror"]
    assert (mirror == mesh_constants()["mirror"]).all()
    assert mean == pytest.approx(mean[mirror] * [-1, 1, 1], abs=1e-5)
    assert np.linalg.norm(mean[[362, 263]].mean(0) - mean[[33, 133]].mean(0)) == pytest.approx(1, abs=1e-5)
    assert not set(found["rigid"]) & {13, 14, 159, 145, 386, 374, 468, 152}
