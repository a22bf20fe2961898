"""Batches made by other processes while the network trains: a GPU would wait for one processor's augmentation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset

from masquerade.training.loop import DEVICE

Arrays = tuple[NDArray[Any], ...]
Make = Callable[[np.random.Generator], Arrays]


class _Endless(IterableDataset[tuple[torch.Tensor, ...]]):
    def __init__(self, make: Make, seed: int) -> None:
        self._make, self._seed = make, seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self._seed, worker.id if worker else 0])
        if worker:
            cv2.setNumThreads(1)
        while True:
            yield tuple(torch.from_numpy(np.ascontiguousarray(a)) for a in self._make(rng))


def batches(make: Make, seed: int, workers: int | None = None) -> Iterator[tuple[torch.Tensor, ...]]:
    """Endless batches on the training device.

    Args:
        make: makes one batch of arrays from a random generator; must be picklable where there are workers.
        seed: the same seed and number of workers give the same batches.
        workers: further processes; by default none without a GPU, whose absence leaves no processor idle, else a quarter of the processors.
    """
    if workers is None:
        workers = (os.cpu_count() or 4) // 4 if DEVICE.type == "cuda" else 0
    # Workers are started afresh, not forked: OpenCV and PyTorch have threads that do not survive a fork.
    context = "spawn" if workers else None
    loader = DataLoader(_Endless(make, seed), batch_size=None, num_workers=workers, multiprocessing_context=context, pin_memory=DEVICE.type == "cuda")
    for arrays in loader:
        yield tuple(a.to(DEVICE, non_blocking=True) for a in arrays)
