"""Trains SurroundingsNet to tell from a scene without its face what sex and age the witness took the face for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from masquerade.errors import MasqueradeError
from masquerade.faces.scene import HIDDEN, hidden_in
from masquerade.masks import own_face, replaced_mask, without_specks
from masquerade.networks.surroundings import SurroundingsNet
from masquerade.training import augmentation as augment
from masquerade.training.data import PEOPLE, SCENES, Prepared, open_prepared
from masquerade.training.loader import Arrays, batches
from masquerade.training.loop import Average, Budget, Run, autocast, begin_from, on_device, to_tensor
from masquerade.training.witness import steps
from masquerade.types import Pixels

FRAMED = 0.2
"""Share of the scenes of which an edge of the photo cuts off more than it did: faces near the edge, and photos that show little but a face."""

SPOILT = 0.3
"""Share of the scenes that are blurred, dark or coarse: with all of them so, hair is but a shade, and nothing else is learnt."""


@dataclass(frozen=True)
class Preset:
    budget: Budget
    rate: float = 1.5e-3


PRESETS = {"cpu": Preset(Budget(250_000, 64)), "gpu": Preset(Budget(1_500_000, 128, save_every_s=40)), "paper": Preset(Budget(3_000_000, 64))}


def train(data: Path, out: Path, preset: Preset, seed: int = 0, start: Path | None = None) -> None:
    """Trains until the preset's budget is spent; `out` holds checkpoint, log and the figures; `start` is a checkpoint to begin from."""
    torch.manual_seed(seed)
    network = on_device(SurroundingsNet())
    if start:
        begin_from(start, {"network": network})
    optimizer = torch.optim.AdamW(network.parameters(), lr=preset.rate, weight_decay=2e-2)
    average = Average(network, 0.998)
    run = Run(out, preset.budget, {"network": network, "optimizer": optimizer, "average": average})
    source = batches(_Make(data, preset.budget.batch), seed)

    run.train(steps(run, network, optimizer, average, source), look=lambda: print(_summary(average.network, data), flush=True))


@dataclass(frozen=True, eq=False)
class _Scenes:
    prepared: Prepared
    scenes: NDArray[np.uint8]
    people: NDArray[np.float32]
    rows: dict[str, NDArray[np.int64]]


@cache
def _scenes(data: Path) -> _Scenes:
    prepared = open_prepared(data)
    for name, made_by in ((SCENES, f"masquerade train prepare --out {data}"), (PEOPLE, f"python -m masquerade.training.witness {data}")):
        if not (data / name).exists():
            raise MasqueradeError(f"{data} has no {name}: run `{made_by}` first.")
    scenes, people = np.load(data / SCENES, mmap_mode="r"), np.load(data / PEOPLE)
    held = np.setdiff1d(np.arange(len(scenes)), prepared.rows("train"))
    return _Scenes(prepared, scenes, people, {"train": prepared.rows("train"), "held": held})


def _parsing(prepared: Prepared, row: int) -> NDArray[np.uint8]:
    assert prepared.parsing is not None
    return without_specks(own_face(np.asarray(prepared.parsing[row])))


@dataclass(frozen=True)
class _Make:
    """Makes batches: scenes without faces N x S x S x 3 uint8, sexes and ages."""

    data: Path
    count: int

    def __call__(self, rng: np.random.Generator) -> Arrays:
        of = _scenes(self.data)
        rows = rng.choice(of.rows["train"], self.count)
        return np.stack([_seen(of.scenes[row], _parsing(of.prepared, row), rng) for row in rows]), of.people[rows, 0], of.people[rows, 1]


def _seen(scene: Pixels, parsing: NDArray[np.uint8], rng: np.random.Generator) -> Pixels:
    """A scene as another camera may show it."""
    picture = np.array(scene)
    hidden = (hidden_in(replaced_mask(parsing)) | (picture == HIDDEN).all(-1)).astype(np.uint8)
    if rng.random() < FRAMED:
        _cut_off(hidden, rng)
    # How well the face is hidden must not tell who it is.
    grown = int(rng.integers(0, 4))
    hidden = np.asarray(cv2.dilate(hidden, np.ones((grown + 1, grown + 1), np.uint8)), np.uint8)
    picture[hidden > 0] = HIDDEN
    if rng.random() < 0.5:
        picture, hidden = np.ascontiguousarray(picture[:, ::-1]), np.ascontiguousarray(hidden[:, ::-1])
    picture, hidden = augment.moved(picture, hidden, rng, turn=12, zoom=0.12, shift=0.05)
    picture = augment.as_taken(picture, rng) if rng.random() < SPOILT else augment.recoloured(picture, rng, 0.6)
    picture[hidden > 0] = HIDDEN
    return picture


def _cut_off(hidden: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Hides what lies beyond new edges, in place."""
    side = len(hidden)
    top, left, right = (int(rng.uniform(0, 0.28) * side) for _ in range(3))
    bottom = int(rng.uniform(0, 0.35) * side)
    hidden[:top] = hidden[side - bottom :] = 1
    hidden[:, :left] = hidden[:, side - right :] = 1


def _summary(network: torch.nn.Module, data: Path) -> str:
    """How often the sex of held-out people is right, and how well ages agree, by source."""
    of = _scenes(data)
    rows = of.rows["held"]
    told = []
    for start in range(0, len(rows), 128):
        part = rows[start : start + 128]
        pictures = np.array(of.scenes[part])
        for picture, row in zip(pictures, part, strict=True):
            picture[hidden_in(replaced_mask(_parsing(of.prepared, row)))] = HIDDEN
        with torch.no_grad(), autocast():
            told.append(network(to_tensor(pictures)).float().cpu().numpy())
    odds, ages = np.concatenate(told).T
    right = (odds > 0) == (of.people[rows, 0] > 0.5)
    sources = of.prepared.column("source")[rows]
    parts = " ".join(f"{s} {right[sources == s].mean():.3f}" for s in np.unique(sources))
    return f"held out: sex right in {right.mean():.3f} ({parts}); ages correlate {np.corrcoef(ages, of.people[rows, 1])[0, 1]:.3f}"
