"""The bank of identities: shape latents and texture codes of people who do not exist, and what is needed to choose among them.

A third of them are read from pictures of made-up people. These are mostly young and light-skinned, so the others are drawn from
distributions: one for each sex, age band and band of skin lightness, fitted to the joint latents, codes, skin and age of all training
faces. Dark pictures are told apart once more, by the origin that UTKFace's names give: mixed with people in dim light, dark-skinned
people came out as light-skinned ones, toned. A sample mixes hundreds of people with random weights; it is nobody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from masquerade.generation.identity import in_middling_light, whites_of
from masquerade.generation.surroundings import features_around
from masquerade.networks.anonymization import TextureEncoder
from masquerade.networks.shape import LATENT, ShapeVAE
from masquerade.regions import CODED, GLASSES, SKIN
from masquerade.training.data import MESH, Prepared, open_prepared
from masquerade.training.glasses import wearers_of
from masquerade.training.loop import CHECKPOINT, to_tensor
from masquerade.training.maps import one_hot
from masquerade.training.ridge import ridge
from masquerade.training.shape import Shapes, latents_of, shapes_of
from masquerade.training.witness import labels_of

MADE_UP, SAMPLED = 3000, 5400
LARGEST_YAW = 0.35
SHARPEST = 0.6
"""Share of the sources' sharpest pictures that codes are read from."""

AGES = (0, 6, 13, 23, 36, 51, 66, 120)
"""Bounds of the age bands in years."""

TONES = (0.07, 0.33, 0.67)
"""Bounds of the bands of lightness, as shares of the faces: in the darkest third most people have brown skin, in the darkest band dark skin."""

DARK_BANDS, DARK_ORIGINS = 2, ((1,), (3, 4))
"""So many of the darkest bands are one, with a distribution for each of these of UTKFace's origins; the others there are people in dim light."""

LEAST_FITTED = 40
"""A distribution is fitted to at least so many faces."""

LOOSE = 0.1
"""Share of each number's variance that is drawn independently of the others."""

NEAREST = 10
"""What a person lacks is taken from one of so many of nearest skin."""


def write_bank(runs: Path, data: Path, weights: Path, seed: int = 0) -> str:
    """Writes weights/identities.npz; returns one line that says what it holds.

    Arrays: shape P x 64, texture P x 9 x 32 float16 (complete: a region that a person lacks comes from one of like skin), skin P x 3 (CIELAB
    of the skin's mean colour, in middling light), female P (0 or 1), age P (years); around_mean and around_scale 483, sex_weight and
    age_weight 484: apparent sex (logistic) and age (linear) from `features_around`.
    """
    rng = np.random.default_rng(seed)
    prepared = open_prepared(data)
    shapes, rows = shapes_of(prepared, "train")
    sexes, ages, origins = labels_of(prepared, rows)
    around, accuracy = _fit_around(prepared, shapes, rows, sexes, ages, rng)

    sharp = _sharpness(prepared, rows)
    usable = (np.abs(shapes.conditions[:, 1]) < LARGEST_YAW) & (sharp >= np.quantile(sharp, 1 - SHARPEST))
    known = np.flatnonzero(usable & (sexes >= 0) & ((ages >= 0) | shapes.made_up))
    latents, codes, skin = encoded(prepared, shapes, rows, known, runs)
    codes = _completed(codes, skin, rng)
    sex, age, made_up = sexes[known], ages[known].astype(np.float64), shapes.made_up[known]
    age[made_up] = _guessed_ages(codes, age, made_up)[made_up]
    everything = np.concatenate([latents, codes.reshape(len(codes), -1), skin, age[:, None]], 1)
    real = np.flatnonzero(made_up)[:MADE_UP]
    sampled, sampled_sex = _sampled(everything, sex, skin[:, 0], age, origins[known], rng)
    both = np.concatenate([everything[real], sampled])
    texture = both[:, LATENT:-4].reshape(-1, *codes.shape[1:]).clip(-1, 1)
    if (data / MESH).exists():
        texture[:, CODED.index(GLASSES)] = glasses_for(both[:, -4:-1], data, runs, rng)
    arrays: dict[str, Any] = {
        "shape": both[:, :LATENT].astype(np.float16),
        "texture": texture.astype(np.float16),
        "skin": both[:, -4:-1].astype(np.float16),
        "age": both[:, -1].clip(0, 100).astype(np.float16),
        "female": np.concatenate([sex[real], sampled_sex]).astype(np.uint8),
    }
    np.savez_compressed(weights / "identities.npz", **arrays, **around)
    return f"identities: {len(real)} made-up people and {len(sampled)} drawn from distributions; {accuracy}"


def glasses_for(skin: NDArray[np.floating], data: Path, runs: Path, rng: np.random.Generator) -> NDArray[np.float32]:
    """Glasses for P people: each has the code of one of the ten wearers of nearest skin. Codes that were mixed of several people's, or read where the
    parser saw lenses without eyes, gave pale pieces of frames and yellow lenses.

    Args:
        skin: P x 3 CIELAB.
        data: a prepared folder with its mesh.
        runs: folder with the checkpoint of AnonymizationNet.

    Returns:
        P x 32.
    """
    crops, maps = wearers_of(data)
    sharp = np.array([_sharpness_of(crop) for crop in crops])
    chosen = np.flatnonzero(sharp >= np.quantile(sharp, 1 - SHARPEST))
    codes, theirs = _textures(crops[chosen], maps[chosen], runs)
    nearest = [np.argsort(np.linalg.norm(theirs - own, axis=1), kind="stable")[:NEAREST] for own in skin]
    return codes[[rng.choice(near) for near in nearest], CODED.index(GLASSES)]


def _sharpness(prepared: Prepared, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.array([_sharpness_of(np.asarray(prepared.crops[r])) for r in rows])


def _sharpness_of(crop: NDArray[np.uint8]) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.CV_32F).std())


def encoded(
    prepared: Prepared, shapes: Shapes, rows: NDArray[np.int64], chosen: NDArray[np.int64], runs: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Latents, codes and the skin's CIELAB, in middling light, of some faces."""
    shape = ShapeVAE().eval()
    shape.load_state_dict(torch.load(runs / "shape" / CHECKPOINT, weights_only=True)["parts"]["average"])
    latents = latents_of(shape, torch.from_numpy(shapes.maps[chosen]), torch.from_numpy(shapes.conditions[chosen]))
    return latents.numpy(), *_textures(prepared.crops[rows[chosen]], shapes.maps[chosen], runs)


def _textures(crops: NDArray[np.uint8], maps: NDArray[np.uint8], runs: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Codes N x 9 x 32, and the skin's CIELAB in middling light, N x 3."""
    encoder = TextureEncoder().eval()
    encoder.load_state_dict(torch.load(runs / "anonymization" / CHECKPOINT, weights_only=True)["parts"]["encoder_average"])
    codes, skin = [], []
    for start in range(0, len(crops), 64):
        part = slice(start, start + 64)
        with torch.no_grad():
            codes.append(encoder(to_tensor(crops[part]), one_hot(maps[part])).numpy())
        for crop, parsing in zip(crops[part], maps[part], strict=True):
            mean = crop[parsing == SKIN].mean(0) / 255
            seen = cv2.cvtColor(mean.astype(np.float32)[None, None], cv2.COLOR_RGB2LAB)[0, 0]
            skin.append(in_middling_light(seen, whites_of(crop, parsing)))
    return np.concatenate(codes), np.stack(skin)


def _completed(codes: NDArray[np.float32], skin: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Fills the code of a region that a person lacks with that of one of the ten people of nearest skin who have it."""
    codes = codes.copy()
    for region in range(codes.shape[1]):
        has = np.flatnonzero(np.abs(codes[:, region]).sum(1) > 0)
        if not len(has):
            continue
        for person in np.flatnonzero(np.abs(codes[:, region]).sum(1) == 0):
            near = has[np.argpartition(np.linalg.norm(skin[has] - skin[person], axis=1), min(NEAREST, len(has) - 1))[:NEAREST]]
            codes[person, region] = codes[rng.choice(near), region]
    return codes


def _guessed_ages(codes: NDArray[np.float32], ages: NDArray[np.float64], unknown: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Ages from texture codes, by ridge regression on the faces whose age is known; 30 where none is."""
    if unknown.all():
        return np.full(len(codes), 30.0)
    features = codes.reshape(len(codes), -1).astype(np.float64)
    weight = _linear(features[~unknown], ages[~unknown], 1.0)
    return np.asarray(np.column_stack([features, np.ones(len(features))]) @ weight).clip(18, 70)


def _linear(features: NDArray[np.float64], truth: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
    """Weights of a linear model, the constant last and not penalised."""
    mean = features.mean(0)
    weight = ridge(features - mean, truth - truth.mean(), strength)
    return np.append(weight, truth.mean() - mean @ weight)


def _sampled(
    everything: NDArray[np.float64],
    sexes: NDArray[np.int64],
    lightness: NDArray[np.float32],
    ages: NDArray[np.float64],
    origins: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draws people from one normal distribution for each sex, age band and band of lightness, and each origin where it is dark: random mixtures of
    the group's deviations."""
    tones = np.digitize(lightness, np.quantile(lightness, TONES))
    bands = np.digitize(ages, AGES[1:-1])
    kinds = [(tones < DARK_BANDS) & np.isin(origins, some) for some in DARK_ORIGINS] + [tones == t for t in range(DARK_BANDS, len(TONES) + 1)]
    groups = [np.flatnonzero((sexes == s) & (bands == b) & kind) for s in (0, 1) for b in range(len(AGES) - 1) for kind in kinds]
    groups = [g for g in groups if len(g) >= LEAST_FITTED]
    drawn, sex = [everything[:0]], [sexes[:0]]
    for group in groups:
        count = SAMPLED // len(groups)
        mean, deviations = everything[group].mean(0), everything[group] - everything[group].mean(0)
        mixed = rng.standard_normal((count, len(group))) @ deviations / len(group) ** 0.5
        loose = rng.standard_normal(mixed.shape) * deviations.std(0)
        drawn.append(mean + (1 - LOOSE) ** 0.5 * mixed + LOOSE**0.5 * loose)
        sex.append(np.full(count, sexes[group[0]]))
    return np.concatenate(drawn), np.concatenate(sex)


def _fit_around(
    prepared: Prepared, shapes: Shapes, rows: NDArray[np.int64], sexes: NDArray[np.int64], ages: NDArray[np.int64], rng: np.random.Generator
) -> tuple[dict[str, Any], str]:
    """Apparent sex and age from the surroundings alone; a tenth is held out."""
    known = rng.permutation(np.flatnonzero(sexes >= 0))[:16000]
    features = np.stack([features_around(prepared.crops[rows[k]], shapes.maps[k]) for k in known]).astype(np.float64)
    mean, scale = features.mean(0), features.std(0).clip(0.02)
    features = np.clip((features - mean) / scale, -4, 4)
    cut = len(known) // 10
    inputs = torch.from_numpy(np.column_stack([features, np.ones(len(features))])).float()
    truth = torch.from_numpy(sexes[known]).float()
    weight = torch.zeros(inputs.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(inputs[cut:] @ weight, truth[cut:]) + 1e-3 * weight[:-1].square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    right = ((inputs[:cut] @ weight > 0) == (truth[:cut] > 0.5)).float().mean().item() if cut else float("nan")
    aged = np.flatnonzero(ages[known] >= 0)
    age_weight = np.append(np.zeros(features.shape[1]), 30.0)
    agreement = float("nan")
    if len(aged) > 100:
        learned = aged[aged >= cut]
        age_weight = _linear(features[learned], ages[known][learned].astype(np.float64), 300.0)
        held = aged[aged < cut]
        agreement = float(np.corrcoef(features[held] @ age_weight[:-1], ages[known][held])[0, 1])
    arrays = {"around_mean": mean, "around_scale": scale, "sex_weight": weight.detach().numpy(), "age_weight": age_weight}
    told = f"from the surroundings of held-out pictures: apparent sex right in {right:.1%}, age correlates {agreement:.2f}"
    return {n: a.astype(np.float32) for n, a in arrays.items()}, told
