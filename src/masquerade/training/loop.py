"""What every training task shares: a resumable run folder, averaged weights, a one-line log, a schedule."""

from __future__ import annotations

import copy
import csv
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

CHECKPOINT = "checkpoint.pt"

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
"""Where networks are trained: a GPU if there is one."""

torch.backends.cudnn.benchmark = True
torch.set_float32_matmul_precision("high")

Network = TypeVar("Network", bound=nn.Module)
Losses = Mapping[str, torch.Tensor | float]


def autocast() -> torch.autocast:
    """Half precision (bfloat16) where the machine multiplies it fast: on a GPU, and on processors with AMX or AVX-512 BF16."""
    return torch.autocast(DEVICE.type, torch.bfloat16, enabled=DEVICE.type == "cuda" or _fast_bfloat16())


@cache
def _fast_bfloat16() -> bool:
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return "amx_bf16" in flags or "avx512_bf16" in flags


def on_device(network: Network) -> Network:
    """A network on the training device, its weights channels last in memory."""
    return network.to(DEVICE, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True)
class Budget:
    """How much to train.

    Attributes:
        pictures: how many pictures the network sees in all; the learning rate's schedule ends there.
        batch: pictures a step.
        save_every_s: seconds between two checkpoints.
        seconds: training ends here at the latest; the schedule follows whichever of the two limits is nearer.
    """

    pictures: int
    batch: int
    save_every_s: float = 120.0
    seconds: float = math.inf


@dataclass
class Run:
    """A training run in a folder; interrupted at any moment, it goes on from its last checkpoint.

    Attributes:
        folder: holds checkpoint.pt, log.csv and picture grids.
        parts: everything with a state: networks and optimizers.
    """

    folder: Path
    budget: Budget
    parts: dict[str, Any]
    step: int = 0
    _sums: dict[str, torch.Tensor | float] = field(default_factory=dict)
    _count: int = 0
    _seconds: float = 0.0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / CHECKPOINT
        if path.exists():
            state = torch.load(path, weights_only=True, map_location=DEVICE)
            for name, part in self.parts.items():
                part.load_state_dict(state["parts"][name])
            self.step, self._seconds = state["step"], state["seconds"]

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, 0 to 1."""
        return min(1.0, max(self.step * self.budget.batch / self.budget.pictures, self._seconds / self.budget.seconds))

    def save(self) -> None:
        state = {"step": self.step, "seconds": self._seconds, "parts": {n: p.state_dict() for n, p in self.parts.items()}}
        partial = self.folder / (CHECKPOINT + ".partial")
        torch.save(state, partial)
        os.replace(partial, self.folder / CHECKPOINT)

    def train(self, one_step: Callable[[int], Losses], look: Callable[[], None] | None = None) -> None:
        """Calls `one_step(step)` until the budget is spent; logs the means of what it returns; saves and looks now and then."""
        saved = logged = begun = time.monotonic()
        before = self._seconds
        while self.progress < 1:
            for name, value in one_step(self.step).items():
                # Tensors are summed where they are: reading one would make the processor wait for the GPU.
                self._sums[name] = self._sums.get(name, 0.0) + (value.detach() if isinstance(value, torch.Tensor) else value)
            self._count += 1
            self.step += 1
            now = time.monotonic()
            self._seconds = before + now - begun
            if now - logged > 20 or self.progress >= 1:
                self._log()
                logged = now
            if now - saved > self.budget.save_every_s or self.progress >= 1:
                self.save()
                if look:
                    look()
                saved = time.monotonic()

    def _log(self) -> None:
        means = {n: float(v) / self._count for n, v in self._sums.items()}
        row = {"step": self.step, "pictures": self.step * self.budget.batch, "seconds": round(self._seconds, 1)}
        row |= {n: round(v, 5) for n, v in means.items()}
        path = self.folder / "log.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(row)
            writer.writerow(row.values())
        print("  ".join(f"{k} {v:g}" for k, v in row.items()), flush=True)
        self._sums, self._count = {}, 0


AVERAGED = {"network": "average", "generator": "average", "encoder": "encoder_average"}
"""Which part holds the moving average of another."""


def save_networks(checkpoint: Path, target: Path) -> None:
    """Writes what a later run needs to begin from an earlier one: averaged networks and critics as float16; no optimizers, and no heads of
    projected critics, which are soon learnt anew."""
    parts = torch.load(checkpoint, weights_only=True, map_location="cpu")["parts"]
    kept = {name: part for name, part in parts.items() if name not in AVERAGED and name != "heads" and "optimizer" not in name}
    halved = {name: {k: v.half() if v.is_floating_point() else v for k, v in part.items()} for name, part in kept.items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"parts": halved}, target)


def begin_from(start: Path, networks: Mapping[str, Any]) -> None:
    """Loads networks from a checkpoint or from what `save_networks` wrote."""
    parts = torch.load(start, weights_only=True, map_location=DEVICE)["parts"]
    for name, network in networks.items():
        network.load_state_dict(parts[name] if name in parts else parts[AVERAGED[name]])


def one_cycle(progress: float, warm_up: float = 0.1) -> float:
    """Factor of the learning rate: rises linearly, falls as a cosine."""
    if progress < warm_up:
        return 0.04 + 0.96 * progress / warm_up
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))


def flat_then_linear(progress: float, fall: float = 0.4) -> float:
    """Factor of the learning rate for adversarial training: one, then falling to zero over the last share `fall`."""
    return min(1.0, max(0.0, 1 - progress) / fall)


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Multiplies every group's own `base` rate."""
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("base", group["lr"]) * factor


class Average:
    """Moving average of a network's weights; the average is what is shipped."""

    def __init__(self, network: nn.Module, decay: float = 0.998) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    def update(self, network: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        with torch.no_grad():
            mine: list[torch.Tensor] = list(self.network.parameters())
            theirs: list[torch.Tensor] = list(network.parameters())
            torch._foreach_lerp_(mine, theirs, 1 - decay)
            for ours, other in zip(self.network.buffers(), network.buffers(), strict=True):
                ours.copy_(other)

    def state_dict(self) -> dict[str, Any]:
        return self.network.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state)


def to_tensor(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> torch.Tensor:
    """N x H x W x 3 uint8 to N x 3 x H x W float32 in [-1, 1] on the training device, channels last in memory."""
    return normalised(torch.from_numpy(np.ascontiguousarray(pixels)).to(DEVICE))


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """As `to_tensor`, from a tensor of uint8."""
    return pixels.permute(0, 3, 1, 2).float().mul_(1 / 127.5).sub_(1)


def to_pixels(tensor: torch.Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """N x 3 x H x W in [-1, 1] to N x H x W x 3 uint8."""
    return tensor.detach().float().clamp(-1, 1).add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()


def write_grid(path: Path, rows: list[np.ndarray[Any, np.dtype[np.uint8]]]) -> None:
    """Writes rows of pictures (each N x H x W x 3) below each other as one PNG."""
    import cv2

    grid = np.concatenate([np.concatenate(list(row), 1) for row in rows], 0)
    cv2.imwrite(str(path), cv2.cvtColor(grid, cv2.COLOR_RGB2BGR))
