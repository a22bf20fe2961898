"""The bank of identities: shape latents and texture codes of people who do not exist, and what is needed to choose among them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from masquerade.networks.anonymization import TextureEncoder
from masquerade.networks.shape import ShapeVAE
from masquerade.regions import SKIN
from masquerade.training.data import Prepared, open_prepared
from masquerade.training.loop import CHECKPOINT, to_tensor
from masquerade.training.maps import one_hot, shape_planes
from masquerade.training.shape import Shapes, shapes_of

PEOPLE = 4000
LARGEST_YAW = 0.3
CELLS = 8
"""The surroundings are described by the share of each outer class in 8 x 8 cells."""


def write_bank(runs: Path, data: Path, weights: Path, seed: int = 0) -> str:
    """Writes weights/identities.npz; returns one line that says what it holds.

    Arrays: shape P x 64, texture P x 9 x 32 float16 (complete: a region that a person lacks comes from one of like skin), skin P x 3
    (CIELAB of the skin's mean colour), female P (0 or 1), around_weight 448, around_bias: logistic regression of apparent sex on the
    surroundings.
    """
    rng = np.random.default_rng(seed)
    prepared = open_prepared(data)
    shapes, rows = shapes_of(prepared, "train")
    labels = _sexes(prepared, rows)
    frontal = np.abs(shapes.conditions[:, 1]) < LARGEST_YAW
    chosen = np.flatnonzero(shapes.made_up & frontal & (labels >= 0))
    chosen = rng.permutation(chosen)[:PEOPLE]
    latents, codes, skin = _encode(prepared, shapes, rows, chosen, runs)
    codes = _completed(codes, skin, rng)
    weight, bias, accuracy = _fit_sex(shapes, labels, rng)
    np.savez_compressed(
        weights / "identities.npz",
        shape=latents.astype(np.float16), texture=codes.astype(np.float16), skin=skin.astype(np.float16),
        female=labels[chosen].astype(np.uint8), around_weight=weight, around_bias=bias,
    )  # fmt: skip
    return f"identities: {len(chosen)} people who do not exist; apparent sex told from the surroundings in {accuracy:.1%} of held-out pictures"


def _sexes(prepared: Prepared, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """1 female, 0 male, -1 unknown, by the folders of the sources: `female/`, `male/`, or UTKFace's `AGE.SEX/`."""
    found = np.full(len(rows), -1)
    for index, row in enumerate(rows):
        folders = Path(prepared.table[row]["file"]).parts[:-1]
        if "female" in folders or any(f[1:] in (".1", ".1.0") and f[0].isdigit() for f in folders):
            found[index] = 1
        elif "male" in folders or any(f[1:] in (".0", ".0.0") and f[0].isdigit() for f in folders):
            found[index] = 0
    return found


def _encode(
    prepared: Prepared, shapes: Shapes, rows: NDArray[np.int64], chosen: NDArray[np.int64], runs: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    shape, texture = ShapeVAE().eval(), TextureEncoder().eval()
    shape.load_state_dict(torch.load(runs / "shape" / CHECKPOINT, weights_only=True)["parts"]["average"])
    texture.load_state_dict(torch.load(runs / "anonymization" / CHECKPOINT, weights_only=True)["parts"]["encoder_average"])
    latents, codes, skin = [], [], []
    for start in range(0, len(chosen), 64):
        part = chosen[start : start + 64]
        crops = np.asarray(prepared.crops[np.sort(rows[part])])[np.argsort(np.argsort(rows[part]))]
        planes = one_hot(shapes.maps[part])
        with torch.no_grad():
            inner, outer = shape_planes(planes)
            latents.append(shape.encoder(inner, outer, shape.normalise(torch.from_numpy(shapes.conditions[part])))[0].numpy())
            codes.append(texture(to_tensor(crops), planes).numpy())
        for crop, parsing in zip(crops, shapes.maps[part], strict=True):
            mean = crop[parsing == SKIN].mean(0) / 255
            skin.append(cv2.cvtColor(mean.astype(np.float32)[None, None], cv2.COLOR_RGB2LAB)[0, 0])
    return np.concatenate(latents), np.concatenate(codes), np.stack(skin)


def _completed(codes: NDArray[np.float32], skin: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Fills the code of a region that a person lacks with that of one of the ten people of nearest skin who have it."""
    codes = codes.copy()
    for region in range(codes.shape[1]):
        has = np.flatnonzero(np.abs(codes[:, region]).sum(1) > 0)
        if not len(has):
            continue
        for person in np.flatnonzero(np.abs(codes[:, region]).sum(1) == 0):
            near = has[np.argsort(np.linalg.norm(skin[has] - skin[person], axis=1))[:10]]
            codes[person, region] = codes[rng.choice(near), region]
    return codes


def _fit_sex(shapes: Shapes, labels: NDArray[np.int64], rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Logistic regression on the surroundings alone; a tenth is held out."""
    known = rng.permutation(np.flatnonzero((labels >= 0) & (shapes.conditions[:, 10] >= 0)))[:12000]
    features = torch.cat(
        [F.avg_pool2d(shape_planes(one_hot(shapes.maps[known[i : i + 256]]))[1], 64 // CELLS).flatten(1) for i in range(0, len(known), 256)]
    )
    truth = torch.from_numpy(labels[known]).float()
    cut = len(known) // 10
    model = torch.nn.Linear(features.shape[1], 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(features[cut:])[:, 0], truth[cut:]) + 3e-3 * model.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        accuracy = ((model(features[:cut])[:, 0] > 0) == (truth[:cut] > 0.5)).float().mean().item()
    return model.weight.detach().numpy()[0], model.bias.detach().numpy(), accuracy
