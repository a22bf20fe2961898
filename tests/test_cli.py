"""The command as its user meets it: exit codes, sentences, and what is left on the disk."""

from __future__ import annotations

import errno
import functools
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from masquerade import cli
from masquerade.errors import DamagedWeights
from masquerade.media.photos import read_photo
from masquerade.types import Pixels, Result

Masquerade = Callable[..., int]


@pytest.fixture
def masquerade(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, painter: Any) -> Masquerade:
    """The command with an anonymiser that paints; the test stands in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "anonymizer_for", lambda options: painter)
    return lambda *words: cli.main([str(word) for word in words])


@pytest.fixture
def photo(tmp_path: Path, colours: Callable[..., Pixels]) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(colours()).save(path)
        return path

    return make


def contents(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def is_painted(path: Path) -> bool:
    return bool(np.abs(read_photo(path).pixels[2, 2].astype(int) - (0, 200, 0)).max() < 10)


def test_photo(masquerade: Masquerade, photo: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo("a.png")
    assert masquerade("a.png", "--output", "b.jpg", "--report", "report.json") == 0
    assert is_painted(tmp_path / "b.jpg")
    (file,) = json.loads((tmp_path / "report.json").read_text())["files"]
    assert (file["input"], file["output"], file["frames"], len(file["faces"])) == ("a.png", "b.jpg", 1, 1)
    out, err = capsys.readouterr()
    assert out.startswith("1 file, 1 face generated, 0 obscured, ")
    assert out.count("\n") == 1
    assert err == ""


def test_tree(masquerade: Masquerade, photo: Callable[[str], Path], tmp_path: Path, painter: Any) -> None:
    for name in ("in/a.png", "in/deep/b.jpg", "c.webp"):
        photo(name)
    assert masquerade("in", "c.webp", "--output", "out", "--recursive", "--quiet") == 0
    assert contents(tmp_path / "out") == {"a.png", "deep/b.jpg", "c.webp"}
    assert len(painter.seen) == 3


def test_others_are_done_when_one_fails(
    masquerade: Masquerade, photo: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo("in/a.png")
    photo("in/c.png")
    (tmp_path / "in/b.png").write_text("no photo")
    assert masquerade("in", "missing.jpg", "--output", "out", "--report", "report.json") == 2
    assert contents(tmp_path / "out") == {"a.png", "c.png"}
    report = json.loads((tmp_path / "report.json").read_text())
    assert [f["input"] for f in report["files"]] == ["in/a.png", "in/c.png"]
    assert {f["input"] for f in report["failed"]} == {"in/b.png", "missing.jpg"}
    out, err = capsys.readouterr()
    assert "2 failed" in out
    assert err.count("\n") == 2
    assert "Traceback" not in err


def missing(folder: Path) -> None: ...


def empty(folder: Path) -> None:
    (folder / "a.jpg").touch()


def truncated(folder: Path) -> None:
    Image.effect_noise((64, 64), 50).save(folder / "a.jpg")
    (folder / "a.jpg").write_bytes((folder / "a.jpg").read_bytes()[:1500])


def text(folder: Path) -> None:
    (folder / "a.jpg").write_text("no photo")


def dot(folder: Path) -> None:
    Image.new("RGB", (1, 1)).save(folder / "a.jpg")


@functools.cache
def bomb_of_400_megapixels() -> bytes:
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def bomb(folder: Path) -> None:
    (folder / "a.jpg").write_bytes(bomb_of_400_megapixels())


def video(folder: Path) -> Path:
    path = folder / "a.mp4"
    path.write_bytes(b"\0\0\0\x20ftypisom")
    return path


@pytest.mark.parametrize("make", [missing, empty, truncated, text, dot, bomb])
@pytest.mark.parametrize("output", ["out.jpg", "new/out.jpg", "new"])
def test_bad_input_leaves_nothing(
    make: Callable[[Path], None], output: str, masquerade: Masquerade, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path)
    before = contents(tmp_path)
    assert masquerade("a.jpg", "--output", output) == 2
    _, err = capsys.readouterr()
    assert err.startswith("masquerade: a.jpg ")
    assert err.count("\n") == 1
    assert contents(tmp_path) == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["a.png", "--output", "a.png"], "a.png is an input itself; choose another output."),
        (["a.png", "--output", "there.png"], "there.png is there already; add --overwrite to replace it."),
        (["nothing", "--output", "out"], "nothing holds no photo or video; add --recursive to look into its folders."),
        (["a.png", "there.png", "--output", "out.png"], "out.png names one file; choose a folder for several inputs."),
        (["a.png", "--output", "out.xyz"], ""),
        (["a.png", "--output", "a.png/out.png"], "a.png/out.png cannot be written, for a.png is no folder; choose another output."),
        (["a.png", "--output", "out", "--report", "a.png"], "a.png is an input or an output; choose another name for the report."),
        (["a.png", "--output", "out.png", "--report", "out.png"], "out.png is an input or an output; choose another name for the report."),
        (["a.png", "--output", "out", "--report", "there.png"], "there.png is there already and is no report; choose another name for the report."),
    ],
)
def test_refused_outputs(
    words: list[str], sentence: str, masquerade: Masquerade, photo: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo("a.png")
    photo("there.png")
    (tmp_path / "nothing" / "below").mkdir(parents=True)
    before = {name: (tmp_path / name).read_bytes() for name in contents(tmp_path)}
    assert masquerade(*words) == (2 if sentence else 0)
    if sentence:
        assert capsys.readouterr().err == f"masquerade: {sentence}\n"
        assert {name: (tmp_path / name).read_bytes() for name in contents(tmp_path)} == before


def test_overwrite(masquerade: Masquerade, photo: Callable[[str], Path], tmp_path: Path) -> None:
    photo("a.png")
    photo("b.png")
    assert masquerade("a.png", "--output", "b.png", "--overwrite") == 0
    assert is_painted(tmp_path / "b.png")
    assert not is_painted(tmp_path / "a.png")


def test_disk_full(
    masquerade: Masquerade, photo: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    photo("a.png")
    monkeypatch.setattr(os, "fsync", full)
    assert masquerade("a.png", "--output", "new/out.png") == 2
    assert "No space left on device" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_killed_while_writing(photo: Callable[[str], Path], tmp_path: Path) -> None:
    program = """
import os, signal
from masquerade import cli
from masquerade.types import Result

class Same:
    def photo(self, rgb):
        return Result(rgb, ())

os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
cli.anonymizer_for = lambda options: Same()
cli.main(["in", "--output", "out"])
"""
    photo("in/a.png")
    assert subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False).returncode == -9
    left = contents(tmp_path / "out")
    assert len(left) == 1
    assert all(name.endswith(".part") for name in left)


class Failing:
    """An anonymiser that raises at the second photo."""

    def __init__(self, error: BaseException) -> None:
        self._error, self._count = error, 0

    def photo(self, rgb: Pixels) -> Result:
        self._count += 1
        if self._count == 2:
            raise self._error
        return Result(rgb, ())


@pytest.mark.parametrize(
    ("error", "code", "outputs", "words"),
    [
        (KeyboardInterrupt(), 130, {"a.png"}, "stopped"),
        (MemoryError(), 2, {"a.png", "c.png"}, "b.png does not fit into memory"),
        (OSError(errno.EIO, "Input/output error"), 2, {"a.png", "c.png"}, "b.png failed (Input/output error)"),
        (KeyError("x"), 2, {"a.png", "c.png"}, "please report it"),
    ],
)
def test_failure_in_the_middle(
    error: BaseException,
    code: int,
    outputs: set[str],
    words: str,
    masquerade: Masquerade,
    photo: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in "abc":
        photo(f"in/{name}.png")
    monkeypatch.setattr(cli, "anonymizer_for", lambda options: Failing(error))
    assert masquerade("in", "--output", "out", "--report", "report.json") == code
    assert contents(tmp_path / "out") == outputs
    assert {Path(f["output"]).name for f in json.loads((tmp_path / "report.json").read_text())["files"]} == outputs
    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err


def test_damaged_weights(
    masquerade: Masquerade, photo: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def damaged(options: object) -> None:
        raise DamagedWeights("shape.onnx is damaged; install masquerade again.")

    photo("a.png")
    monkeypatch.setattr(cli, "anonymizer_for", damaged)
    assert masquerade("a.png", "--output", "out", "--report", "report.json") == 2
    assert capsys.readouterr().err == "masquerade: shape.onnx is damaged; install masquerade again.\n"
    assert contents(tmp_path) == {"a.png"}


def test_networks_are_not_loaded_for_nothing(masquerade: Masquerade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "anonymizer_for", lambda options: pytest.fail("loaded"))
    assert masquerade("missing.jpg", "--output", "out") == 2


@pytest.mark.parametrize("content", [None, b""])
def test_key_must_be_there(content: bytes | None, photo: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    assert cli.main([str(photo("a.png")), "--output", str(tmp_path / "out"), "--key", str(tmp_path / "key")]) == 2
    assert "The key" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_key_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\0secret\n")
    assert cli.read_key(tmp_path / "key") == b"\0secret\n"


def test_videos_and_photos_go_in_one_call(masquerade: Masquerade, painter: Any, photo: Callable[[str], Path], tmp_path: Path) -> None:
    photo("a.png")
    video(tmp_path)
    asked = ("--start", "1", "--end", "2.5", "--codec", "hevc", "--crf", "20", "--keep", "a.png")
    assert masquerade("a.png", "a.mp4", "--output", "out", "--report", "report.json", *asked) == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"a.png", "a.mp4"}
    assert (painter.asked.span.start_s, painter.asked.span.end_s) == (1.0, 2.5)
    assert (painter.asked.encoding.codec, painter.asked.encoding.crf, len(painter.asked.keep)) == ("hevc", 20, 1)
    (clip,) = (f for f in json.loads((tmp_path / "report.json").read_text())["files"] if f["input"].endswith(".mp4"))
    assert clip["frames"] == 2 and [f["frame"] for f in clip["faces"]] == [0, 1]


def test_a_torn_clip_is_written_as_far_as_it_goes_and_said(masquerade: Masquerade, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video(tmp_path).rename(tmp_path / "torn.mp4")
    assert masquerade("torn.mp4", "--output", "out.mp4") == 2
    assert "torn.mp4 ends early" in capsys.readouterr().err
    assert (tmp_path / "out.mp4").exists()


def test_quiet(masquerade: Masquerade, photo: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    photo("a.png")
    assert masquerade("a.png", "--output", "out", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a.png"],
        ["a.png", "--output", "b", "--quality", "0"],
        ["a.png", "--output", "b", "--quality", "high"],
        ["a.png", "--output", "b", "--max-pixels", "-5"],
        ["a.png", "--output", "b", "--threads", "0"],
        ["a.png", "--output", "b", "--seed", "1", "--key", "k"],
        ["a.png", "--output", "b", "--method", "swirl"],
    ],
)
def test_words_that_make_no_sense(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2
    assert "usage: masquerade" in capsys.readouterr().err


def test_options_reach_the_anonymiser(photo: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, painter: Any) -> None:
    seen: list[cli.Options] = []
    monkeypatch.setattr(cli, "anonymizer_for", lambda options: seen.append(options) or painter)
    words = [photo("a.png"), "--output", tmp_path / "out", "--seed", 7, "--method", "blur", "--shape", "own", "--threads", 3]
    assert cli.main([str(word) for word in words]) == 0
    (options,) = seen
    assert (options.seed, options.key, options.method, options.shape, options.threads) == (7, None, "blur", "own", 3)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("masquerade 0.")


@contextmanager
def module(name: str, main: Callable[[list[str]], int]) -> Iterator[None]:
    stub = type(sys)(name)
    stub.main = main  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, stub)
        yield


@pytest.mark.parametrize("word", cli.COMMANDS)
def test_other_commands(word: str) -> None:
    seen: list[list[str]] = []
    with module(cli.COMMANDS[word][0], lambda words: seen.append(words) or 5):
        assert cli.main([word, "x", "--data", "d"]) == 5
    assert seen == [["x", "--data", "d"]]


@pytest.mark.parametrize("word", cli.COMMANDS)
def test_other_commands_say_what_they_need(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    def needs_torch(words: list[str]) -> int:
        raise ModuleNotFoundError("No module named 'torch'", name="torch.nn")

    with module(cli.COMMANDS[word][0], needs_torch):
        assert cli.main([word]) == 2
    err = capsys.readouterr().err
    assert f"pip install 'masquerade[{cli.COMMANDS[word][1]}]'" in err
    assert err.count("\n") == 1


def test_anonymising_needs_no_torch(tmp_path: Path) -> None:
    program = "import sys, masquerade.cli; print([m for m in ('torch', 'sklearn', 'matplotlib', 'skimage') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "[]"
