"""A clip's sound and subtitles, packet by packet into the new file, untouched."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from masquerade.errors import UnwritableOutput
from masquerade.media.videos import Span, open_input

if TYPE_CHECKING:
    from av.container import OutputContainer

KINDS = {"audio": "sound", "subtitle": "subtitles"}
"""Streams that are always copied, and what they are called."""


class OtherStreams:
    """What is in a clip besides pictures; open until the `with` block ends.

    Args:
        path: the clip.
        span: only packets that begin in it are copied.
        shift_s: taken off every time.
    """

    def __init__(self, path: Path, span: Span, shift_s: Fraction) -> None:
        self._path, self._span, self._shift_s = path, span, shift_s
        self._source = open_input(path)
        self._origin_s = Fraction(self._source.start_time or 0, 1_000_000)
        self._streams: dict[int, Stream] = {}
        self._packets: Iterator[Packet[Stream]] = iter(())
        self._waiting: Packet[Stream] | None = None

    def join(self, output: OutputContainer, target: Path, keep_metadata: bool) -> None:
        """Adds a stream to the output for each that is copied, and copies the metadata where it is wanted.

        Raises:
            UnwritableOutput: the output's format cannot hold one of them.
        """
        self._output = output
        for stream in self._source.streams:
            if stream.type in KINDS or (keep_metadata and stream.type == "data"):
                self._join_one(stream, target, keep_metadata)
        if keep_metadata:
            output.metadata.update(self._source.metadata)
            output.set_chapters(self._source.chapters())
        self._packets = self._wanted() if self._streams else iter(())

    def _join_one(self, stream: Stream, target: Path, keep_metadata: bool) -> None:
        try:
            copy = self._output.add_stream_from_template(stream)
        except (ValueError, FFmpegError) as error:
            if stream.type not in KINDS:
                return
            name = stream.codec_context.name if stream.codec_context else "unknown"
            raise UnwritableOutput(
                f"{target} cannot hold the {KINDS[stream.type]} of {self._path} ({name}); choose a name that ends in .mkv."
            ) from error
        copy.disposition = stream.disposition
        copy.metadata.update({k: v for k, v in stream.metadata.items() if keep_metadata or k == "language"})
        self._streams[stream.index] = copy

    def copy_until(self, time_s: Fraction | None) -> None:
        """Copies all packets that come before a time of the output; None copies the rest."""
        while True:
            packet = self._waiting or next(self._packets, None)
            self._waiting = None
            if packet is None:
                return
            time = packet.dts if packet.dts is not None else packet.pts
            if time_s is not None and time is not None and time * packet.time_base - self._shift_s > time_s:
                self._waiting = packet
                return
            ticks = round(self._shift_s / packet.time_base)
            if ticks:
                packet.pts, packet.dts = (None if t is None else t - ticks for t in (packet.pts, packet.dts))
            packet.stream = self._streams[packet.stream_index]
            self._output.mux(packet)

    def __enter__(self) -> OtherStreams:
        return self

    def __exit__(self, *error: object) -> None:
        self._packets = iter(())
        self._source.close()

    def _wanted(self) -> Iterator[Packet[Stream]]:
        """The span's packets; a file's damaged end is the end."""
        if self._span.start_s > 0:
            self._source.seek(round((Fraction(self._span.start_s) + self._origin_s) * 1_000_000))
        past: set[int] = set()
        packets = self._source.demux([self._source.streams[i] for i in self._streams])
        while len(past) < len(self._streams):
            try:
                packet = next(packets)
            except (StopIteration, FFmpegError):
                return
            time = packet.pts if packet.pts is not None else packet.dts
            if not packet.size or time is None:
                continue
            time_s = time * packet.time_base - self._origin_s
            if self._span.is_past(time_s):
                past.add(packet.stream_index)
            elif self._span.start_s <= 0 or self._span.holds(time_s):
                yield packet
