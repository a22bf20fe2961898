"""Every input has its own output, and nothing of the user's is overwritten by chance."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from masquerade.errors import UnwritableOutput
from masquerade.media.files import Plan, plan
from masquerade.media.whole_files import whole_file

Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Makes empty files in a new folder, which is where the test then stands."""
    monkeypatch.chdir(tmp_path)

    def make(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return make


def pairs(made: Plan) -> list[tuple[str, str]]:
    return [(job.source.as_posix(), job.target.as_posix()) for job in made.jobs]


def only_sentence(made: Plan) -> str:
    (sentence,) = made.refused.values()
    assert not made.jobs
    return sentence


@pytest.mark.parametrize(
    ("inputs", "output", "recursive", "expected"),
    [
        pytest.param(["a.jpg"], "out.png", False, [("a.jpg", "out.png")], id="file to file"),
        pytest.param(["a.jpg"], "out", False, [("a.jpg", "out/a.jpg")], id="file into folder"),
        pytest.param(["a.jpg"], "d.jpg", False, [("a.jpg", "d.jpg/a.jpg")], id="folder that is called like a photo"),
        pytest.param(["a.jpg", "in/b.PNG"], "out", False, [("a.jpg", "out/a.jpg"), ("in/b.PNG", "out/b.PNG")], id="files"),
        pytest.param(["in"], "out", False, [("in/b.PNG", "out/b.PNG"), ("in/c.mp4", "out/c.mp4")], id="folder"),
        pytest.param(
            ["in"], "out", True, [("in/b.PNG", "out/b.PNG"), ("in/c.mp4", "out/c.mp4"), ("in/deep/er/e.webp", "out/deep/er/e.webp")], id="tree"
        ),
        pytest.param(["in/deep", "a.jpg"], "out", True, [("in/deep/er/e.webp", "out/er/e.webp"), ("a.jpg", "out/a.jpg")], id="tree and file"),
        pytest.param(["in"], "in/deep", True, [("in/b.PNG", "in/deep/b.PNG"), ("in/c.mp4", "in/deep/c.mp4")], id="output inside input"),
        pytest.param(["a.jpg", "./a.jpg", "in/../a.jpg"], "out", False, [("a.jpg", "out/a.jpg")], id="the same file again"),
    ],
)
def test_names(inputs: list[str], output: str, recursive: bool, expected: list[tuple[str, str]], tree: Tree) -> None:
    tree("a.jpg", "in/b.PNG", "in/c.mp4", "in/notes.txt", "in/.hidden.jpg", "in/.git/x.jpg", "in/deep/er/e.webp", "in/left.part", "d.jpg/x")
    made = plan([Path(p) for p in inputs], Path(output), recursive)
    assert {(os.path.normpath(s), t) for s, t in pairs(made)} == set(expected)
    assert len(made.jobs) == len(expected)
    assert not made.refused


def test_kinds(tree: Tree) -> None:
    tree("in/a.jpg", "in/b.gif", "in/c.MOV", "in/d.heic")
    assert [job.kind for job in plan([Path("in")], Path("out")).jobs] == ["photo", "video", "video", "photo"]


@pytest.mark.parametrize(
    ("inputs", "output", "words"),
    [
        pytest.param(["missing.jpg"], "out.jpg", "missing.jpg does not exist", id="missing"),
        pytest.param(["empty"], "out", "empty holds no photo", id="folder without photos"),
        pytest.param(["notes.txt"], "out", "does not end like a photo", id="no photo"),
        pytest.param(["a.jpg"], "out.mp4", "does not end like a photo", id="photo as video"),
        pytest.param(["v.mp4"], "out.jpg", "does not end like a video", id="video as photo"),
        pytest.param(["a.jpg"], "a.jpg", "is an input itself", id="itself"),
        pytest.param(["a.jpg"], "sub/../a.jpg", "is an input itself", id="itself by another way"),
        pytest.param(["a.jpg"], "symbolic.jpg", "is an input itself", id="itself through a symbolic link"),
        pytest.param(["a.jpg"], "hard.jpg", "is an input itself", id="itself through a hard link"),
        pytest.param(["symbolic.jpg"], "a.jpg", "is an input itself", id="what a link leads to"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_refused(inputs: list[str], output: str, words: str, overwrite: bool, tree: Tree) -> None:
    folder = tree("a.jpg", "there.jpg", "v.mp4", "notes.txt", "empty/notes.txt", "sub/x.txt")
    (folder / "symbolic.jpg").symlink_to("a.jpg")
    (folder / "hard.jpg").hardlink_to("a.jpg")
    assert words in only_sentence(plan([Path(p) for p in inputs], Path(output), overwrite=overwrite))


def test_output_that_is_another_input(tree: Tree) -> None:
    tree("a.jpg", "out/a.jpg")
    made = plan([Path("a.jpg"), Path("out")], Path("out"), overwrite=True)
    assert not made.jobs
    assert len(made.refused) == 2


def test_two_inputs_for_one_output(tree: Tree) -> None:
    tree("x/a.jpg", "y/a.jpg", "y/b.jpg")
    made = plan([Path("x"), Path("y")], Path("out"))
    assert pairs(made) == [("y/b.jpg", "out/b.jpg")]
    assert len(made.refused) == 2
    assert all("would both become out/a.jpg" in sentence for sentence in made.refused.values())


def test_existing_outputs_one_by_one(tree: Tree) -> None:
    tree("in/a.jpg", "in/b.jpg", "out/a.jpg")
    made = plan([Path("in")], Path("out"))
    assert pairs(made) == [("in/b.jpg", "out/b.jpg")]
    assert "--overwrite" in made.refused[Path("in/a.jpg")]
    assert len(plan([Path("in")], Path("out"), overwrite=True).jobs) == 2


def test_output_that_is_a_folder(tree: Tree) -> None:
    tree("a.jpg", "out/a.jpg/x")
    assert "is a folder" in only_sentence(plan([Path("a.jpg")], Path("out"), overwrite=True))


@pytest.mark.parametrize(
    ("inputs", "output"), [(["a.jpg", "b.jpg"], "out.jpg"), (["in"], "out.jpg"), (["a.jpg", "b.jpg"], "notes"), (["a.jpg"], "notes")]
)
def test_output_must_suit_the_inputs(inputs: list[str], output: str, tree: Tree) -> None:
    tree("a.jpg", "b.jpg", "in/c.jpg", "notes")
    with pytest.raises(UnwritableOutput, match="folder"):
        plan([Path(p) for p in inputs], Path(output))


def test_folder_that_cannot_be_opened(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree("in/a.jpg", "in/closed/b.jpg")
    scandir = os.scandir

    def guarded(path: str | Path) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    made = plan([Path("in")], Path("out"), recursive=True)
    assert pairs(made) == [("in/a.jpg", "out/a.jpg")]
    assert "in/closed cannot be opened (Permission denied)" in "".join(made.refused.values())


def test_whole_file_appears_with_its_folders(tmp_path: Path) -> None:
    target = tmp_path / "new" / "deep" / "a.bin"
    with whole_file(target) as file:
        file.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert [p.name for p in target.parent.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError("no")])
def test_nothing_is_left_of_a_failure(error: BaseException, tmp_path: Path) -> None:
    with pytest.raises(UnwritableOutput if isinstance(error, OSError) else type(error)), whole_file(tmp_path / "new" / "a.bin") as file:
        file.write(b"half")
        raise error
    assert not list(tmp_path.iterdir())


def test_failure_keeps_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), whole_file(target, overwrite=True) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    with pytest.raises(UnwritableOutput, match="--overwrite"), whole_file(target):
        pass
    with whole_file(target, overwrite=True) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"


def test_file_that_comes_up_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    with pytest.raises(UnwritableOutput, match="--overwrite"), whole_file(target) as file:
        file.write(b"ours")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_file_as_folder(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(UnwritableOutput, match="is no folder"), whole_file(tmp_path / "a" / "b" / "c.bin"):
        pass


@pytest.mark.skipif(not hasattr(os, "kill") or sys.platform == "win32", reason="needs signals")
def test_killed_in_the_middle(tmp_path: Path) -> None:
    program = """
import os, pathlib, signal, sys
from masquerade.media.whole_files import whole_file
with whole_file(pathlib.Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    result = subprocess.run([sys.executable, "-c", program, tmp_path / "out" / "a.jpg"], check=False)
    assert result.returncode == -9
    left = [p.name for p in (tmp_path / "out").iterdir()]
    assert len(left) == 1
    assert left[0].endswith(".part")
    assert "holds no photo" in only_sentence(plan([tmp_path / "out"], tmp_path / "other"))
