"""The network for clips: it begins as the one for photos, learns frame by frame, and its clips are prepared."""

from __future__ import annotations

import csv
import dataclasses
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from av.video.frame import VideoFrame
from skimage.data import astronaut
from torch import nn

from masquerade.cli import main
from masquerade.errors import MasqueradeError
from masquerade.generation import harmonization as at_work
from masquerade.networks.anonymization import AnonymizationNet, TextureEncoder
from masquerade.networks.discriminators import Discriminator
from masquerade.networks.harmonization import HarmonizationNet, TemporalHarmonizationNet
from masquerade.networks.shape import ShapeVAE
from masquerade.training import temporal
from masquerade.training.data import open_prepared
from masquerade.training.export import TASKS, TOLERANCE, export_network
from masquerade.training.faces import faces_of
from masquerade.training.journeys import Journeys, Trips
from masquerade.training.loop import CHECKPOINT, Budget
from masquerade.training.rough import CodeMeans
from masquerade.training.streams import ClipStreams, Drift, PhotoStreams, clips_of, moved


def photo_network() -> HarmonizationNet:
    torch.manual_seed(0)
    network = HarmonizationNet()
    nn.init.normal_(network.exit.weight, std=0.01)
    return network


@pytest.fixture(scope="module")
def clips(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of drawn faces, every frame like the one before but for a step of one pixel to the right; frame 4 is missing in each."""
    folder = tmp_path_factory.mktemp("clips")
    arrays = {name: np.load(prepared / f"{name}.npy")[:2] for name in ("crops", "parsing", "pose")}
    frames = [0, 1, 2, 3, 5, 6]
    for name in ("crops", "parsing"):
        np.save(folder / f"{name}.npy", np.stack([np.roll(a, f, 1) for a in arrays[name] for f in frames]))
    np.save(folder / "pose.npy", np.repeat(arrays["pose"], 6, 0))
    np.save(folder / "frame.npy", np.array(frames * 2))
    flow = np.zeros((12, 128, 128, 2), np.float16)
    flow[..., 0] = -1
    np.save(folder / "flow.npy", flow)
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "source", "identity", "split", "made_up"])
        writer.writerows([[f"{i // 6}.mp4", "clips", i // 6, "train", 0] for i in range(12)])
    return folder


def test_a_fresh_network_begins_as_the_photo_network() -> None:
    photo, clip = photo_network(), TemporalHarmonizationNet()
    assert clip.load_state_dict(photo.state_dict(), strict=False).unexpected_keys == []
    picture, mask, planes, previous = torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64), torch.rand(2, 14, 64, 64), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = photo.eval()(picture, mask, planes)
        empty = clip.eval()(picture, mask, planes, previous, torch.zeros_like(mask))
        given = clip(picture, mask, planes, previous, torch.ones_like(mask))
    assert torch.equal(empty, expected)
    share = torch.sigmoid(torch.tensor(-4.0))
    assert torch.allclose(given, torch.lerp(expected, previous, share), atol=1e-5)


def test_streams_follow_clips_as_far_as_there_are_neighbours(clips: Path, prepared: Path) -> None:
    found = clips_of(clips)
    assert found.later.tolist() == [1, 2, 3, 5, 7, 8, 9, 11]
    streams = ClipStreams(found, 8, longest=24, rng=np.random.default_rng(0))
    before, run = streams.step(), torch.zeros(8)
    assert before.begins.all()
    inner = (slice(None), slice(None), slice(None), slice(10, -10))
    for _ in range(10):
        frames = streams.step()
        goes_on = ~frames.begins
        undone = (moved(before.now.pictures, frames.flow) - frames.now.pictures)[inner][goes_on]
        assert undone.numel() == 0 or undone.abs().max() < 1e-3
        run = torch.where(goes_on, run + 1, torch.zeros(8))
        assert run.max() <= 3
        before = frames
    with pytest.raises(MasqueradeError, match="prepare-clips"):
        clips_of(prepared)


def test_photos_drift_by_a_motion_that_is_known(prepared: Path) -> None:
    torch.manual_seed(0)
    faces, rng = faces_of(open_prepared(prepared), "train"), np.random.default_rng(0)
    streams = PhotoStreams(faces, 6, longest=24, rng=rng, drift=Drift(light=0.0))
    before, still, undone = streams.step(), list[float](), list[float]()
    inner = (slice(None), slice(None), slice(24, -24), slice(24, -24))
    for _ in range(12):
        frames = streams.step()
        goes_on = ~frames.begins
        still.append(float((before.now.pictures - frames.now.pictures)[inner][goes_on].abs().mean()))
        undone.append(float((moved(before.now.pictures, frames.flow) - frames.now.pictures)[inner][goes_on].abs().mean()))
        assert 0.3 < frames.flow[goes_on].norm(dim=1).mean() < 8
        assert set(frames.now.planes.unique().tolist()) == {0.0, 1.0}
        before = frames
    assert np.mean(undone) < np.mean(still) / 4


def test_a_stream_is_given_what_was_made_of_the_frame_before_moved_along(clips: Path, prepared: Path) -> None:
    torch.manual_seed(0)
    faces, exact = faces_of(open_prepared(prepared), "train"), Trips(longest=24, astray=0.0, wobble_px=0.0, mixed=0.0)
    journeys = Journeys(faces, clips_of(clips), None, 4, 0, exact, np.random.default_rng(0))
    first = journeys.step()
    assert first.previous_mask.max() == 0 and torch.equal(first.before, first.now.pictures)
    for _ in range(3):
        made = torch.rand_like(first.now.pictures) * 0.2 + 0.4
        journeys.remember(made)
        given = journeys.step()
        there = (given.previous_mask > 0).expand_as(given.previous)
        assert there.any() and given.previous[there].min() > 0.2 and not given.previous[~there].any()
        assert torch.equal(given.previous, given.made_before * (given.previous_mask > 0))
        assert (given.comparable <= given.now.masks).all()


def test_a_run_begins_from_a_photo_run_and_goes_on_from_its_own(prepared: Path, clips: Path, tmp_path: Path) -> None:
    photo = photo_network().state_dict()
    critic = Discriminator(1, (32, 64, 128, 160)).state_dict()
    torch.save({"parts": {"network": photo, "average": photo, "critic": critic}}, tmp_path / "photo.pt")
    rough = {"average": AnonymizationNet(), "encoder_average": TextureEncoder(), "means": CodeMeans(9, 32)}
    torch.save({"parts": {name: part.state_dict() for name, part in rough.items()}}, tmp_path / "rough.pt")
    torch.save({"parts": {"average": ShapeVAE().state_dict()}}, tmp_path / "shape.pt")
    preset = dataclasses.replace(temporal.PRESETS["cpu"], budget=Budget(8, 4))
    further = {"clips": clips, "rough": tmp_path / "rough.pt", "shape": tmp_path / "shape.pt"}
    temporal.train(prepared, tmp_path / "run", preset, start=tmp_path / "photo.pt", **further)
    assert {p.name for p in (tmp_path / "run").iterdir()} == {CHECKPOINT, "log.csv", "grid.png"}
    (row,) = csv.DictReader((tmp_path / "run" / "log.csv").open())
    assert all(np.isfinite(float(v)) for v in row.values())
    assert min(float(row[name]) for name in ("l1", "steady", "light", "critic")) > 0
    learned = torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)["parts"]["network"]
    assert learned["joins.4.weight"].abs().max() > 0
    short = dataclasses.replace(preset, budget=Budget(4, 4))
    temporal.train(prepared, tmp_path / "next", short, start=tmp_path / "run" / CHECKPOINT, clips=clips)


def test_what_is_exported_agrees_and_looks_at_the_frame_before_inside_its_mask_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = TemporalHarmonizationNet()
    for join in network.joins:
        nn.init.normal_(join.weight, std=0.05)
    network.train()(*[torch.rand(4, *shape) for shape in TASKS["temporal"].inputs.values()])
    assert export_network("temporal", network.eval(), tmp_path) <= TOLERANCE
    assert (tmp_path / "temporal.onnx").stat().st_size < 0.6 * 4 * sum(p.numel() for p in network.parameters())

    monkeypatch.setattr(at_work, "load_session", lambda name, threads: onnxruntime.InferenceSession(str(tmp_path / name)))
    harmonize, rng = at_work.TemporalHarmonization(1), np.random.default_rng(0)
    crop, maps = rng.integers(0, 256, (128, 128, 3), dtype=np.uint8), np.ones((2, 128, 128), np.uint8)
    rough, mask = rng.uniform(-1, 1, (2, 3, 128, 128)).astype(np.float32), np.ones((128, 128), np.float32)
    white, nowhere = np.full((128, 128, 3), 255, np.float32), np.zeros((128, 128), np.float32)
    first = harmonize(crop, rough, mask, maps)
    assert first.shape == (2, 128, 128, 3)
    assert np.array_equal(first, harmonize(crop, rough, mask, maps, white, nowhere))
    assert (harmonize(crop, rough, mask, maps, white, mask) - first).mean() > 1


def test_clips_are_prepared_and_trained_on_as_typed(prepared: Path, tmp_path: Path) -> None:
    head = cv2.resize(astronaut()[:256, 96:352], (144, 144), interpolation=cv2.INTER_AREA)
    (tmp_path / "in").mkdir()
    with av.open(str(tmp_path / "in" / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, width=240, height=160, options={"crf": "8"})
        for index, x in enumerate([20, 22, 24, 26, None, 40, 42]):
            picture = np.full((160, 240, 3), 90, np.uint8)
            if x is not None:
                picture[8:152, x : x + 144] = head
            frame = VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    out = tmp_path / "clips"
    assert main(["train", "prepare-clips", "--clips", str(tmp_path / "in"), "--out", str(out)]) == 0
    assert np.load(out / "frame.npy").tolist() == [0, 1, 2, 3, 5, 6]
    found = clips_of(out)
    assert found.later.tolist() == [1, 2, 3, 5]
    # The face stays where it is in its crop: little motion is left.
    assert np.abs(np.load(out / "flow.npy")[found.later, 40:90, 40:90]).mean() < 1
    assert main(["train", "prepare-clips", "--clips", str(out), "--out", str(out)]) == 2
