"""A step before BelongingNet's training: draws new faces on prepared heads, as they are drawn at work.

The first of five faces on a head has the head's own shape and code. Of the strangers one is of a person who fits, one is the one of whom the
foresight expects most, as they are met at work, and two have the shapes and codes of other heads: else nothing but the look of the bank's codes
would be learnt. The networks for photos and for clips take turns.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from masquerade.faces.recognition import SFace
from masquerade.faces.scene import HIDDEN
from masquerade.faces.yunet import YuNet
from masquerade.generation.foresight import Foresight
from masquerade.generation.identity import Surroundings
from masquerade.generation.replacement import Reading, Replacement
from masquerade.generation.search import Search
from masquerade.generation.sharpness import blurred, needed_blur
from masquerade.masks import laid_over
from masquerade.networks.anonymization import TextureEncoder
from masquerade.networks.shape import ShapeVAE
from masquerade.training.data import DRAWN, SCENES, open_prepared
from masquerade.training.loop import CHECKPOINT, DEVICE, on_device, to_tensor
from masquerade.training.maps import one_hot
from masquerade.training.shape import latents_of
from masquerade.trying import foreseen_for
from masquerade.types import Crop, Floats, Identity, Pixels

HEADS = 5200

STRANGERS, OTHERS = 2, 64
"""So many have the shapes and codes of other heads, which are among so many of those before."""


def write_drawn(data: Path, runs: Path, heads: int = HEADS, seed: int = 0, processes: int | None = None) -> int:
    """Writes drawn.npy, heads x 5 x 128 x 128 x 3 uint8: crops with new faces in them, the own one first.

    Args:
        data: a prepared folder.
        runs: folder with the checkpoints of ShapeVAE and AnonymizationNet.

    Returns:
        How many heads there are.
    """
    rows = np.random.default_rng(seed).permutation(open_prepared(data).rows("train"))
    count = processes or os.cpu_count() or 1
    parts = [(data, runs, rows[k::count], -(-heads // count), seed + k) for k in range(count)]
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        done = pool.starmap(_drawn, parts)
    np.save(data / DRAWN, np.concatenate(done))
    return sum(map(len, done))


def _drawn(data: Path, runs: Path, rows: NDArray[np.int64], heads: int, seed: int) -> Pixels:
    """New faces on the first heads on which they can be drawn."""
    torch.set_num_threads(1)
    return np.stack(list(islice(_faces(data, runs, rows, np.random.default_rng(seed)), heads)))


def _faces(data: Path, runs: Path, rows: NDArray[np.int64], rng: np.random.Generator) -> Iterator[Pixels]:
    prepared, scenes = open_prepared(data), np.load(data / SCENES, mmap_mode="r")
    drawer, detector, sface, foresight, own = Replacement(1), YuNet(0.6), SFace(), Foresight(), _Own(runs)
    temporal = False
    others = deque[Identity](maxlen=OTHERS)
    for row in rows:
        crop = Crop(np.array(prepared.crops[row]), np.eye(2, 3), np.ones(prepared.crops.shape[1:3], np.bool_))
        scene = np.asarray(scenes[row])
        reading = drawer.read(crop, scene=Crop(scene, np.eye(2, 3), (scene != HIDDEN).any(-1)))
        found = detector(crop.pixels)
        if not found or reading is None:
            continue
        identity = own(crop, reading)
        if len(others) >= STRANGERS:
            person = sface.embed(crop.pixels, max(found, key=lambda face: face.width))
            strangers = [_completed(others[i], identity) for i in rng.choice(len(others), STRANGERS, replace=False)]
            identities = [identity, *_at_work(drawer, foresight, person, reading.around, rng), *strangers]
            faces = drawer.draw(crop, reading, identities, temporal=temporal)
            temporal = not temporal
            # As soft as the photo, as at work: else the network looks at nothing but sharpness.
            soft = np.stack([blurred(face, needed_blur(crop.pixels, face, reading.mask)) for face in faces])
            yield laid_over(crop.pixels, soft, reading.mask)
        others.append(identity)


class _Own:
    """Reads a head's own shape and code."""

    def __init__(self, runs: Path) -> None:
        self._shape, self._texture = on_device(ShapeVAE().eval()), on_device(TextureEncoder().eval())
        for network, run, part in ((self._shape, "shape", "average"), (self._texture, "anonymization", "encoder_average")):
            network.load_state_dict(torch.load(runs / run / CHECKPOINT, weights_only=True, map_location=DEVICE)["parts"][part])

    def __call__(self, crop: Crop, reading: Reading) -> Identity:
        maps, condition = torch.from_numpy(reading.parsing[None]), torch.from_numpy(reading.condition[None]).to(DEVICE)
        shape = latents_of(self._shape, maps, condition)[0]
        with torch.no_grad():
            texture = self._texture(to_tensor(crop.pixels[None]), one_hot(maps))[0]
        return Identity(shape.cpu().numpy(), texture.cpu().numpy(), 0)


def _at_work(drawer: Replacement, foresight: Foresight, person: Floats, around: Surroundings, rng: np.random.Generator) -> list[Identity]:
    """Somebody who fits, and the most promising of those."""
    promising = Search(lambda: drawer.bank.draw(around, rng), rng, foreseen_for(foresight, person, around)).propose(1)
    return [drawer.bank.draw(around, rng), *promising]


def _completed(other: Identity, own: Identity) -> Identity:
    """Somebody else, with the own code wherever theirs says nothing: ears that were not seen would be told at a glance."""
    return replace(other, texture=np.where(np.abs(other.texture).sum(1, keepdims=True) > 0, other.texture, own.texture))


def main() -> None:
    """`python -m masquerade.training.drawn DATA --runs RUNS`."""
    parser = argparse.ArgumentParser(description="Draws new faces on prepared heads, for BelongingNet; writes drawn.npy.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--runs", type=Path, required=True, help="folder that holds the runs of shape and anonymization")
    parser.add_argument("--heads", type=int, default=HEADS)
    args = parser.parse_args()
    print(f"{write_drawn(args.data, args.runs, args.heads)} heads")


if __name__ == "__main__":
    main()
