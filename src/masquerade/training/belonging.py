"""Trains BelongingNet to tell new faces with their head's own code and shape from those with a stranger's.

Both are drawn by the same networks (`masquerade.training.drawn`), so that nothing but who was drawn tells them apart: whether features go together,
and with hair, neck and light. Asked to tell new faces from photos, the same network looks at the grain of what is drawn, and all new faces are equal
to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from masquerade.errors import MasqueradeError
from masquerade.generation.belonging import SOFTENED_PX, shrunk
from masquerade.networks.belonging import BelongingNet
from masquerade.training import augmentation as augment
from masquerade.training.data import DRAWN
from masquerade.training.loader import Arrays, batches
from masquerade.training.loop import Average, Budget, Run, autocast, begin_from, on_device, to_tensor
from masquerade.training.witness import steps
from masquerade.types import Floats, Pixels

SOFTENED = 0.3, 1.2
"""Every picture of 128 pixels is blurred by a sigma between these; see `masquerade.generation.belonging.SOFTENED_PX`."""

UNSURE = 0.01
"""A stranger may belong, too: labels are never quite sure."""

HELD_OUT = 0.06
"""Share of the heads on which the network is looked at."""


@dataclass(frozen=True)
class Preset:
    budget: Budget
    rate: float = 1.0e-3


PRESETS = {"cpu": Preset(Budget(60_000, 64)), "gpu": Preset(Budget(600_000, 128, save_every_s=40)), "paper": Preset(Budget(600_000, 64))}


def train(data: Path, out: Path, preset: Preset, seed: int = 0, start: Path | None = None) -> None:
    """Trains until the preset's budget is spent; `out` holds checkpoint, log and the figures; `start` is a checkpoint to begin from."""
    torch.manual_seed(seed)
    network = on_device(BelongingNet())
    if start:
        begin_from(start, {"network": network})
    optimizer = torch.optim.AdamW(network.parameters(), lr=preset.rate, weight_decay=2e-2)
    average = Average(network, 0.998)
    run = Run(out, preset.budget, {"network": network, "optimizer": optimizer, "average": average})
    source = batches(_Make(data, preset.budget.batch), seed)

    run.train(steps(run, network, optimizer, average, source, _loss), look=lambda: print(_summary(average.network, data), flush=True))


def _loss(told: torch.Tensor, own: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"loss": F.binary_cross_entropy_with_logits(told[:, 0], UNSURE + (1 - 2 * UNSURE) * own)}


@cache
def _heads(data: Path) -> tuple[NDArray[np.uint8], int]:
    """New faces, heads x faces x S x S x 3, the own first; and how many of the heads are learnt from."""
    if not (data / DRAWN).exists():
        raise MasqueradeError(f"{data} has no {DRAWN}: run `python -m masquerade.training.drawn {data}` first.")
    drawn = np.load(data / DRAWN, mmap_mode="r")
    return drawn, max(1, round((1 - HELD_OUT) * len(drawn)))


@dataclass(frozen=True)
class _Make:
    """Makes batches: crops N x S x S x 3 uint8, half of them with own faces, and 1 for these."""

    data: Path
    count: int

    def __call__(self, rng: np.random.Generator) -> Arrays:
        drawn, learnt = _heads(self.data)
        own = np.arange(self.count) % 2 == 0
        chosen = np.where(own, 0, rng.integers(1, drawn.shape[1], self.count))
        pictures = [_seen(np.array(drawn[rng.integers(learnt), face]), rng) for face in chosen]
        return np.stack(pictures), own.astype(np.float32)


def _seen(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """A picture as another camera may show it."""
    if rng.random() < 0.5:
        picture = np.ascontiguousarray(picture[:, ::-1])
    picture, _ = augment.moved(picture, picture[..., 0], rng, turn=12, zoom=0.1, shift=0.04)
    picture = augment.degraded(augment.recoloured(picture, rng, 0.5), rng)
    return shrunk(picture, float(rng.uniform(*SOFTENED)))


def told_by(network: torch.nn.Module, crops: Pixels) -> Floats:
    """What the network tells of crops N x 128 x 128 x 3: N numbers."""
    pictures = np.stack([shrunk(crop, SOFTENED_PX) for crop in crops])
    with torch.no_grad(), autocast():
        return np.asarray(network(to_tensor(pictures))[:, 0].float().cpu().numpy(), np.float32)


def _summary(network: torch.nn.Module, data: Path) -> str:
    """How well the network tells the faces of held-out heads apart."""
    drawn, learnt = _heads(data)
    told = np.stack([told_by(network, np.array(faces)) for faces in drawn[learnt:]]) if learnt < len(drawn) else np.zeros((1, drawn.shape[1]))
    above = float((told[:, :1] > told[:, 1:]).mean())
    means = ", ".join(f"{mean:.2f} +- {spread:.2f}" for mean, spread in zip(told.mean(0), told.std(0), strict=True))
    return f"held-out heads: own faces above {above:.1%} of the strangers on them; own and strangers {means}"
