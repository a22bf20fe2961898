"""Averages over time take the noise and leave the motion."""

from __future__ import annotations

import numpy as np

from masquerade.faces.smoothing import local_line, smoothed

SIZES = np.full(80, 100.0)


def test_a_straight_line_stays_exact_to_its_ends() -> None:
    series = np.stack([np.arange(50) * 2.5, 30 - np.arange(50) * 0.5], 1)
    assert np.allclose(local_line(series, 4.0), series)


def test_short_series_stay() -> None:
    for count in (1, 2):
        assert np.array_equal(local_line(np.ones((count, 2)), 3.0), np.ones((count, 2)))
        assert np.allclose(smoothed(np.ones((count, 14)), np.full(count, 50.0), 25.0), 1)


def test_noise_at_rest_nearly_goes() -> None:
    noise = np.random.default_rng(0).normal(0, 0.5, (80, 10))
    assert smoothed(noise, SIZES, 25.0).std() < 0.4 * noise.std()


def test_a_jump_stays_a_jump() -> None:
    series = np.where(np.arange(80)[:, None] < 40, 0.0, 60.0) * np.ones((1, 10))
    assert np.abs(smoothed(series, SIZES, 25.0) - series).max() < 8


def test_there_is_no_delay() -> None:
    series = 80 * np.sin(2 * np.pi * np.arange(80) / 25)[:, None] * np.ones((1, 10))
    steady = smoothed(series, SIZES, 25.0)
    assert np.abs(steady - series).max() < 4
    correlation = [float((steady[10:70, 0] * series[10 + shift : 70 + shift, 0]).sum()) for shift in (-1, 0, 1)]
    assert np.argmax(correlation) == 1
