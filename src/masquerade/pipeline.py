"""Work that runs ahead: reading, thinking and writing at once, in order, with only a few items between them."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

WAIT_S = 0.1
"""How long a thread may not notice that nobody wants its items any more."""


def ahead(items: Iterable[T], depth: int = 4) -> Generator[T]:
    """Runs an iterable in a thread of its own, at most so many items ahead of whoever takes them.

    Args:
        items: may block, and may raise: the exception comes out here in its turn.
        depth: how many items may wait.

    Yields:
        The items in order. Closing the generator stops the thread and closes `items`.
    """
    waiting: Queue[tuple[T | None, BaseException | None, bool]] = Queue(depth)
    unwanted = threading.Event()

    def put(entry: tuple[T | None, BaseException | None, bool]) -> bool:
        while not unwanted.is_set():
            with contextlib.suppress(Full):
                waiting.put(entry, timeout=WAIT_S)
                return True
        return False

    def run() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if not put((item, None, False)):
                    break
            put((None, None, True))
        except BaseException as error:
            put((None, error, True))
        finally:
            _close(iterator)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while True:
            try:
                item, error, last = waiting.get(timeout=WAIT_S)
            except Empty:
                continue
            if error is not None:
                raise error
            if last:
                return
            yield item  # type: ignore[misc]
    finally:
        unwanted.set()
        thread.join()


def mapped(function: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[R]:
    """`map`, on several items at once, in order; at most so many results wait as there are threads."""
    pending: deque[Future[R]] = deque()
    iterator = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in iterator:
                pending.append(pool.submit(function, item))
                if len(pending) > threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
            _close(iterator)


def at_once(function: Callable[[T], R], items: Sequence[T], threads: int) -> list[R]:
    """What `map` gives, as a list, in so many threads: small networks are quicker side by side, each in one thread, than one after another in
    several."""
    if threads == 1 or len(items) < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(threads, len(items))) as pool:
        return list(pool.map(function, items))


def _close(iterator: Iterator[T]) -> None:
    if isinstance(iterator, Generator):
        iterator.close()
