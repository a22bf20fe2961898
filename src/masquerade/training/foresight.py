"""Fits the foresight: many identities are drawn onto many heads, and what is seen there is told from their codes by ridge regression.

Only differences between identities on one head count, so that heads explain nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from masquerade.appraisal import appraise, contrast_of
from masquerade.faces.recognition import SFace
from masquerade.faces.scene import HIDDEN
from masquerade.faces.yunet import YuNet
from masquerade.generation.belonging import Belonging
from masquerade.generation.foresight import codes_of
from masquerade.generation.replacement import Replacement
from masquerade.masks import laid_over
from masquerade.parts import Parts
from masquerade.training.data import SCENES, open_prepared
from masquerade.training.hair import hair_that_goes
from masquerade.training.loop import CHECKPOINT
from masquerade.training.ridge import ridge
from masquerade.training.witness import Witness
from masquerade.types import Crop, Floats

HEADS, TRIED = 900, 8
"""So many heads, and so many identities on each."""

HELD_OUT = 0.2
"""Share of the heads that the foresight is tested on."""

QUALITY = (
    *("disagreement", "roughness", "clarity", "contrast", "distinctness", "belonging"),
    *("brows", "beard", "paint", "whites", "teeth", "woman", "years"),
)

ABSOLUTE = 7
"""So many of the last, and the hair, are not told from their mean."""

STRENGTH = 1000.0
"""Ridge penalty, for codes in units of their own spread."""


def write_foresight(data: Path, runs: Path, weights: Path, seed: int = 0, heads: int = HEADS, threads: int = 2) -> str:
    """Writes weights/foresight.npz; returns one line that says how good the foresight is.

    Arrays: mean 352; vector 352 x 128, to SFace's unit vector; common 128, what these have in common; quality 352 x 14, to those
    of `QUALITY` and the hair that goes with it; quality_mean 8, the mean of the last of them.

    Args:
        data: a prepared folder.
        runs: folder with the checkpoints of the witness (see `masquerade.training.witness`), which says what sex and age new faces are taken for,
            and of ShapeVAE and AnonymizationNet.
    """
    codes, seen, people, head = _drawn(data, Witness(runs / "witness" / CHECKPOINT), seed, heads, threads)
    test = head >= round((1 - HELD_OUT) * (head.max() + 1))
    given, centred = _centred(codes, head), _centred(seen, head)
    found = given @ _fitted(given[~test], centred[~test])
    figures = {"likeness": ((found[:, :128] * people).sum(1), (centred[:, :128] * people).sum(1))}
    common = seen[:, :128].mean(0) / np.linalg.norm(seen[:, :128].mean(0))
    figures["commonness"] = found[:, :128] @ common, centred[:, :128] @ common
    figures |= {name: (found[:, 128 + k], centred[:, 128 + k]) for k, name in enumerate(QUALITY)}
    hair, middle, agreement = hair_that_goes(data, runs, seed)
    matrix = np.column_stack([_fitted(given, centred), hair]).astype(np.float16)
    expected = np.append(seen[:, -ABSOLUTE:].mean(0), middle + codes.mean(0) @ hair)
    means = {"mean": codes.mean(0), "common": common, "quality_mean": expected}
    arrays = {name: mean.astype(np.float32) for name, mean in means.items()} | {"vector": matrix[:, :128], "quality": matrix[:, 128:]}
    np.savez_compressed(weights / "foresight.npz", **arrays)
    told = ", ".join(f"{name} {np.corrcoef(guess[test], truth[test])[0, 1]:.2f}" for name, (guess, truth) in figures.items())
    return f"foresight: {len(codes)} faces on {head.max() + 1} heads; correlation on held-out heads: {told}; hair {agreement:.2f}"


def _drawn(
    data: Path, witness: Witness, seed: int, heads: int, threads: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Codes N x 352; SFace's vectors and figures of quality N x 141; vectors of the people who were there N x 128; whose head it was, N."""
    rng = np.random.default_rng(seed)
    prepared = open_prepared(data)
    scenes = np.load(data / SCENES, mmap_mode="r")
    drawer, detector, sface = Replacement(threads), YuNet(0.6), SFace()
    parts = Parts(detector, detector, sface, drawer, belonging=Belonging(threads))
    codes, seen, people = list[Floats](), list[list[float]](), list[Floats]()
    head: list[int] = []
    for row in rng.permutation(prepared.rows("train")):
        crop = Crop(np.asarray(prepared.crops[row]), np.eye(2, 3), np.ones(prepared.crops.shape[1:3], np.bool_))
        scene = np.asarray(scenes[row])
        around = Crop(scene, np.eye(2, 3), (scene != HIDDEN).any(-1))
        found, reading = detector(crop.pixels), drawer.read(crop, scene=around)
        if not found or reading is None:
            continue
        face = max(found, key=lambda f: f.width)
        identities = [drawer.bank.draw(reading.around, rng) for _ in range(TRIED)]
        # The networks for photos and for clips take turns.
        faces = drawer.draw(crop, reading, identities, temporal=len(head) % (2 * TRIED) >= TRIED)
        before = contrast_of(crop.pixels.astype(np.float32), reading.mask)
        laid = laid_over(crop.pixels, faces, reading.mask)
        appraisals = appraise(parts, crop, reading, faces, identities)
        for drawn, shown, thought, taken_for in zip(faces, laid, appraisals, witness(laid), strict=True):
            quality = thought.disagreement, thought.roughness, thought.clarity, contrast_of(drawn, reading.mask) / max(before, 1e-3)
            # What is not seen says nothing: it is made the mean of the others on that head.
            told = thought.distinctness, thought.belonging, thought.brows, thought.beard, thought.paint, thought.whites, thought.teeth
            features = [np.nan if v is None else v for v in told]
            seen.append([*sface.embed(shown, face), *quality, *features, *taken_for])
        codes.append(codes_of(identities))
        people += [sface.embed(crop.pixels, face)] * TRIED
        head += [len(head) // TRIED] * TRIED
        if len(head) == heads * TRIED:
            break
    return np.concatenate(codes).astype(np.float64), _filled(np.array(seen), TRIED), np.array(people, np.float64), np.array(head)


def _filled(seen: NDArray[np.float64], group: int) -> NDArray[np.float64]:
    """N x K with the mean of its group of rows, or else of all, in place of every NaN."""
    groups = seen.reshape(-1, group, seen.shape[1])
    known = np.isfinite(groups)
    means = np.where(known, groups, 0).sum(1, keepdims=True) / known.sum(1, keepdims=True).clip(1)
    means = np.where(known.any(1, keepdims=True), means, np.nanmean(seen, 0))
    return np.asarray(np.where(known, groups, means).reshape(seen.shape))


def _centred(values: NDArray[np.float64], head: NDArray[np.int64]) -> NDArray[np.float64]:
    """Values less their mean on the same head."""
    means = np.stack([values[head == h].mean(0) for h in range(int(head.max()) + 1)])
    return np.asarray(values - means[head])


def _fitted(codes: NDArray[np.float64], seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights from codes, each in units of its own spread."""
    spread = codes.std(0).clip(1e-6)
    return np.asarray(ridge(codes / spread, seen, STRENGTH) / spread[:, None])
