"""A file appears under its name when it is whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from masquerade.errors import UnwritableOutput

PARTIAL_SUFFIX = ".part"
"""Ending of a file that is still being written, or that a killed run left; never taken for a photo."""


@contextlib.contextmanager
def whole_file(target: Path, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Opens a file for writing that gets its name at the end, when all of it is on the disk.

    Whatever goes wrong on the way, nothing is left: neither a part of the file nor a folder that was made for it.

    Args:
        target: the final name; missing folders are made.
        overwrite: replace what is there.

    Yields:
        A binary file.

    Raises:
        UnwritableOutput: there is a file of that name already, no room, or no permission.
    """
    refuse_existing(target, overwrite)
    partial = target.with_name(f".masquerade-{secrets.token_hex(6)}{PARTIAL_SUFFIX}")
    missing = [folder for folder in target.parents if not folder.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        refuse_existing(target, overwrite)
        os.replace(partial, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            raise UnwritableOutput(f"{target} could not be written ({error.strerror or error}); make room, or choose another folder.") from error
        raise
    _sync_folder(target.parent)


def refuse_existing(target: Path, overwrite: bool) -> None:
    """Raises UnwritableOutput where an output is there already and must stay, is a folder, or would lie in what is no folder."""
    if target.is_dir():
        raise UnwritableOutput(f"{target} is a folder; give the name of a file.")
    for folder in target.parents:
        if os.path.exists(folder) and not folder.is_dir():
            raise UnwritableOutput(f"{target} cannot be written, for {folder} is no folder; choose another output.")
    if not overwrite and os.path.lexists(target):
        raise UnwritableOutput(f"{target} is there already; add --overwrite to replace it.")


def _sync_folder(folder: Path) -> None:
    """Makes the new name last through a power cut, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
