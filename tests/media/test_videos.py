"""Clips written by the test are read and written again: times, sound, colours, turns and errors."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from masquerade.errors import MasqueradeError, UnreadableInput, UnwritableOutput
from masquerade.media.frames import upright_rgb
from masquerade.media.video_encoding import ClipWriter, Encoding
from masquerade.media.videos import Frames, Span, probe

UNEVEN = [0, 3, 4, 9, 10, 14, 15, 21, 22, 23, 30, 31]
"""Times of frames, in ticks of 1/30 second."""


def make_clip(
    path: Path,
    pts: list[int] = UNEVEN,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    sound: str = "aac",
    **set_on: Any,
) -> Path:
    """Writes a clip whose frames have the gray levels 20, 30, 40 ..., with a lighter upper left corner."""
    with av.open(str(path), "w") as container:
        container.metadata.update(set_on.pop("metadata", {}))
        stream = container.add_stream(codec, rate=30, width=size[0], height=size[1], pix_fmt=pix_fmt)
        stream.codec_context.time_base = Fraction(1, 30)
        if matrix := set_on.pop("matrix", None):
            stream.set_display_matrix(matrix)
        for name, value in set_on.items():
            setattr(stream.codec_context, name, value)
        audio = container.add_stream(sound, rate=8000, layout="mono") if sound else None
        for index, time in enumerate(pts):
            rgb = np.full((size[1], size[0], 3), 20 + 10 * index % 200, np.uint8)
            rgb[: size[1] // 4, : size[0] // 4] = 250
            frame = VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio:
            samples = np.random.default_rng(0).integers(-3000, 3000, (1, 8000 * (pts[-1] + 1) // 30), np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8000, 0
            container.mux([*audio.encode(frame), *audio.encode(None)])
    return path


def rewrite(source: Path, target: Path, span: Span = Span(), encoding: Encoding = Encoding()) -> str:  # noqa: B008
    """Reads and writes a clip; what was lost."""
    clip = probe(source)
    frames = Frames(clip, span, 1)
    with ClipWriter(clip, target, span, encoding, threads=1) as writer:
        for frame in frames:
            writer.write(writer.prepared(frame))
    return frames.lost


def decoded(path: Path) -> Iterator[tuple[float, VideoFrame]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            yield float(frame.pts * stream.time_base), frame


def levels(path: Path) -> list[int]:
    """Number of each frame, by its gray level."""
    return [round((float(np.median(frame.to_ndarray(format="gray"))) - 20) / 10) for _, frame in decoded(path)]


def packets(path: Path, kind: str = "audio") -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(**{kind: 0}) if p.size]


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", None), (".mkv", "hevc"), (".mov", "h264"), (".mp4", "av1"), (".mp4", "vp9")])
def test_times_and_sound_stay(tmp_path: Path, suffix: str, codec: Any) -> None:
    source, target = make_clip(tmp_path / "in.mp4"), tmp_path / f"out{suffix}"
    assert rewrite(source, target, encoding=Encoding(codec)) == ""
    before, after = ([time for time, _ in decoded(p)] for p in (source, target))
    assert len(after) == len(UNEVEN)
    assert np.allclose(np.array(after) - after[0], np.array(before) - before[0], atol=1e-3)
    assert packets(target) == packets(source)
    assert levels(target) == list(range(12))
    assert [p.name for p in tmp_path.iterdir()] == sorted([source.name, target.name]) or len(list(tmp_path.iterdir())) == 2


def test_duration_stays(tmp_path: Path) -> None:
    source, target = make_clip(tmp_path / "in.mp4", sound=""), tmp_path / "out.mp4"
    rewrite(source, target)
    durations = []
    for path in (source, target):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            durations.append(stream.duration * stream.time_base)
    assert durations[0] == durations[1]


@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 0.5), (0.3, 0.74), (0.48, None)])
def test_only_the_span_is_written(tmp_path: Path, start_s: float, end_s: float | None) -> None:
    source, target = make_clip(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    rewrite(source, target, Span(start_s, end_s))
    inside = [n for n, tick in enumerate(UNEVEN) if tick / 30 >= start_s and (end_s is None or tick / 30 < end_s)]
    assert levels(target) == inside
    written = packets(target)
    assert 0 < len(written) < len(packets(source))
    assert set(written) <= set(packets(source))


def test_a_span_outside_the_clip_is_refused(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4")
    with pytest.raises(UnreadableInput, match="choose a start"):
        rewrite(source, tmp_path / "out.mp4", Span(7.0, 8.0))
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


def test_colours_and_depth_stay(tmp_path: Path) -> None:
    colours = {"color_range": 2, "colorspace": 9, "color_primaries": 9, "color_trc": 16}
    source, target = make_clip(tmp_path / "in.mp4", pix_fmt="yuv420p10le", sample_aspect_ratio=Fraction(4, 3), **colours), tmp_path / "out.mp4"
    rewrite(source, target)
    before, after = probe(source), probe(target)
    assert after.pixel_format == "yuv420p10le"
    assert after.colours == before.colours
    assert after.colours.matrix == 9
    assert after.pixel_aspect == Fraction(4, 3)


@pytest.mark.parametrize("size", [(63, 48), (64, 47), (63, 47)])
def test_odd_sizes_stay(tmp_path: Path, size: tuple[int, int]) -> None:
    source, target = make_clip(tmp_path / "in.webm", size=size, codec="libvpx-vp9", sound="libopus"), tmp_path / "out.mp4"
    rewrite(source, target)
    assert (probe(target).width, probe(target).height) == size


TURN_CCW = (0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30)
"""FFmpeg's matrix of a picture that is shown turned by a quarter counterclockwise."""


def test_turned_clips_are_seen_upright_and_shown_as_before(tmp_path: Path) -> None:
    source, target = make_clip(tmp_path / "in.mp4", matrix=TURN_CCW), tmp_path / "out.mp4"
    clip = probe(source)
    first = next(iter(Frames(clip, Span(), 1)))
    shown = np.rot90(first.to_ndarray(format="rgb24"), round(first.rotation / 90))
    assert np.array_equal(upright_rgb(first, clip.turns), shown)
    rewrite(source, target)
    assert probe(target).display_matrix == clip.display_matrix
    assert (probe(target).width, probe(target).height) == (64, 48)


def test_formats_that_cannot_turn_get_turned_pixels(tmp_path: Path) -> None:
    source, target = make_clip(tmp_path / "in.mp4", matrix=TURN_CCW), tmp_path / "out.avi"
    rewrite(source, target)
    clip = probe(source)
    wanted = upright_rgb(next(iter(Frames(clip, Span(), 1))), clip.turns).astype(int)
    found = next(decoded(target))[1].to_ndarray(format="rgb24")
    assert found.shape == (64, 48, 3)
    assert np.abs(found - wanted).mean() < 4


def test_gifs_stay_gifs_to_the_last_pixel(tmp_path: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 8, (24, 31, 3), np.uint8) * 30).quantize(200) for _ in range(4)]
    pictures[0].save(tmp_path / "in.gif", save_all=True, append_images=pictures[1:], duration=[50, 120, 70, 200], loop=3)
    rewrite(tmp_path / "in.gif", tmp_path / "out.gif")
    with Image.open(tmp_path / "in.gif") as before, Image.open(tmp_path / "out.gif") as after:
        assert after.info["loop"] == 3
        for index in range(4):
            before.seek(index)
            after.seek(index)
            assert after.info["duration"] == before.info["duration"]
            assert np.array_equal(np.asarray(after.convert("RGB")), np.asarray(before.convert("RGB")))


@pytest.mark.parametrize("keep", [False, True])
def test_metadata_is_dropped_unless_wanted(tmp_path: Path, keep: bool) -> None:
    source, target = make_clip(tmp_path / "in.mp4", metadata={"title": "Ada at home", "comment": "51.5 N"}), tmp_path / "out.mp4"
    rewrite(source, target, encoding=Encoding(keep_metadata=keep))
    with av.open(str(target)) as container:
        assert (container.metadata.get("title"), container.metadata.get("comment")) == (("Ada at home", "51.5 N") if keep else (None, None))


def test_a_truncated_clip_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "in.mkv", pts=list(range(0, 120, 2)), sound="")
    (tmp_path / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    lost = rewrite(tmp_path / "cut.mkv", tmp_path / "out.mp4")
    assert "cut.mkv is damaged" in lost
    assert 5 < len(levels(tmp_path / "out.mp4")) < 60


def test_sound_without_pictures_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.m4a"), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(UnreadableInput, match="no moving picture"):
        probe(tmp_path / "in.m4a")


@pytest.mark.parametrize("content", [b"", b"not a film", None])
def test_what_is_no_clip_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "in.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableInput, match=r"in\.mp4"):
        probe(path)


@pytest.mark.parametrize(
    ("name", "codec", "why"),
    [("out.webm", "h264", "cannot hold h264"), ("out.webm", None, "cannot hold the sound"), ("out.xyz", None, "choose a name")],
)
def test_formats_that_cannot_hold_it_are_named(tmp_path: Path, name: str, codec: Any, why: str) -> None:
    source = make_clip(tmp_path / "in.mp4")
    with pytest.raises(UnwritableOutput, match=why):
        rewrite(source, tmp_path / name, encoding=Encoding(codec))
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    clip = probe(make_clip(tmp_path / "in.mp4"))
    with pytest.raises(ZeroDivisionError), ClipWriter(clip, tmp_path / "out.mp4", Span(), Encoding()) as writer:
        for frame in Frames(clip, Span()):
            writer.write(writer.prepared(frame))
        raise ZeroDivisionError
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", pts=list(range(40)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, before[1]))
    try:
        with pytest.raises(MasqueradeError, match="make room"):
            rewrite(source, tmp_path / "out.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


def test_an_existing_output_stays(tmp_path: Path) -> None:
    source, target = make_clip(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    target.write_text("precious")
    with pytest.raises(UnwritableOutput, match="--overwrite"):
        rewrite(source, target)
    assert target.read_text() == "precious"
