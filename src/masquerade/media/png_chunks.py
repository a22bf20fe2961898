"""PNG's chunks: those that say what its numbers mean as colours are carried from file to file."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = frozenset({b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI"})
LONGEST_COLOUR = 64
"""Bytes; the standard's are shorter."""

AFTER_HEADER = len(SIGNATURE) + 25
"""Where the first chunk after the header begins."""

Chunk = tuple[bytes, bytes]
"""Name and content."""


def colour_chunks(path: Path) -> tuple[Chunk, ...]:
    """The chunks about colour in front of a PNG's pixels, but for the profile; nothing for other files."""
    found = []
    with path.open("rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            return ()
        while len(head := file.read(8)) == 8:
            length, name = struct.unpack(">I4s", head)
            if name in (b"IDAT", b"IEND"):
                break
            if name in COLOURS and length <= LONGEST_COLOUR:
                found.append((name, file.read(length)))
                file.seek(4, 1)
            else:
                file.seek(length + 4, 1)
    return tuple(found)


def packed(chunk: Chunk) -> bytes:
    """A chunk as it stands in a file: length, name, content, checksum."""
    name, content = chunk
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_chunks(png: bytes, chunks: tuple[Chunk, ...]) -> bytes:
    """A PNG file with more chunks, put right after its header."""
    return png[:AFTER_HEADER] + b"".join(packed(chunk) for chunk in chunks) + png[AFTER_HEADER:]


def profile_chunk(profile: bytes) -> Chunk:
    """The chunk that embeds a colour profile."""
    return b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile)
