"""One heap for all threads, where there is glibc."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from masquerade import memory

IN_ANOTHER_PROCESS = "from masquerade.memory import share_one_heap; print(share_one_heap())"


def test_glibc_takes_the_setting_and_others_do_without() -> None:
    # In a process of its own: the setting stays.
    told = subprocess.run([sys.executable, "-c", IN_ANOTHER_PROCESS], capture_output=True, text=True, check=True).stdout.strip()
    if platform.libc_ver()[0] == "glibc":
        assert told == "True"
    else:
        assert told in ("True", "False")


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert memory.share_one_heap() is False
