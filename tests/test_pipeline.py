"""Work that runs ahead keeps its order, passes errors on, and stops when nobody wants it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from masquerade.pipeline import ahead, at_once, mapped


def count(started: list[int], closed: threading.Event | None = None, fail_at: int = -1) -> Iterator[int]:
    try:
        for number in range(50):
            if number == fail_at:
                raise KeyError(number)
            started.append(number)
            yield number
    finally:
        if closed:
            closed.set()


def test_ahead_keeps_the_order() -> None:
    assert list(ahead(count([]))) == list(range(50))


def test_ahead_runs_only_a_little_ahead() -> None:
    started: list[int] = []
    with contextlib.closing(ahead(count(started), depth=3)) as items:
        assert next(items) == 0
        assert len(started) <= 6


def test_ahead_passes_errors_on_in_their_turn() -> None:
    items = ahead(count([], fail_at=5))
    assert [next(items) for _ in range(5)] == list(range(5))
    with pytest.raises(KeyError):
        next(items)


def test_ahead_closes_what_it_reads_from() -> None:
    closed = threading.Event()
    items = ahead(count([], closed))
    next(items)
    items.close()
    assert closed.is_set()


@pytest.mark.parametrize("threads", [1, 3])
def test_mapped_keeps_the_order(threads: int) -> None:
    assert list(mapped(lambda n: n * n, range(20), threads)) == [n * n for n in range(20)]


def test_mapped_passes_errors_on() -> None:
    items = mapped(lambda n: 1 // (3 - n), range(9), 2)
    assert [next(items) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(items)


def test_mapped_closes_what_it_reads_from() -> None:
    closed = threading.Event()
    with contextlib.closing(mapped(lambda n: n, count([], closed), 2)) as items:
        next(items)
    assert closed.is_set()


@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_done_at_once_comes_in_order_and_fails_aloud(threads: int) -> None:
    def halved(number: int) -> float:
        time.sleep(0.002 * (5 - number))
        return 1 / number

    assert at_once(halved, [1, 2, 4], threads) == [1, 0.5, 0.25]
    assert at_once(halved, [], threads) == []
    with pytest.raises(ZeroDivisionError):
        at_once(halved, [2, 0, 1], threads)
