from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from agent.errors import OutriderError
from agent.window.sealed import seal, unseal

KIND = "outrider-test/1"


@pytest.mark.parametrize("content", [b"", b"x", b"outrider-test/1\n", bytes(range(256)) * 9])
def test_what_is_sealed_comes_back(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "test.state"
    seal(path, KIND, content)
    assert unseal(path, KIND) == content
    assert path.read_bytes() == b"outrider-test/1\n" + sha256(content).digest() + content
    assert [each.name for each in path.parent.iterdir()] == ["test.state"]


def test_a_new_file_takes_the_place_of_the_last(tmp_path: Path) -> None:
    path = tmp_path / "test.state"
    seal(path, KIND, b"first")
    seal(path, KIND, b"second")
    assert unseal(path, KIND) == b"second"


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    assert unseal(tmp_path / "test.state", KIND) is None
    (tmp_path / "file").touch()
    assert unseal(tmp_path / "file" / "test.state", KIND) is None


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"", "is not a state of this version"),
        (lambda data: data[:15], "is not a state of this version"),
        (lambda data: b"outrider-test/2\n" + data[16:], "is not a state of this version"),
        (lambda data: data[:16], "is damaged: the checksum does not fit its 16 bytes"),
        (lambda data: data[:30], "is damaged"),
        (lambda data: data[:-1], "is damaged"),
        (lambda data: data + b"x", "is damaged"),
        (lambda data: data[:-2] + bytes((data[-2] ^ 1,)) + data[-1:], "is damaged"),
    ],
    ids=["empty", "short", "other version", "head only", "half a checksum", "cut", "longer", "one bit"],
)
def test_what_is_damaged_is_refused(damage: Callable[[bytes], bytes], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "test.state"
    seal(path, KIND, b"content")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(OutriderError, match=reason) as raised:
        unseal(path, KIND)
    assert str(raised.value).startswith(f"{path}: ")


def test_what_can_not_be_read_is_our_error(tmp_path: Path) -> None:
    with pytest.raises(OutriderError, match="can't be read"):
        unseal(tmp_path, KIND)


def test_what_can_not_be_written_is_our_error_and_the_last_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "test.state"
    seal(path, KIND, b"first")

    def full_disk(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OutriderError, match="can't be written: No space left on device"):
        seal(path, KIND, b"second")
    assert unseal(path, KIND) == b"first"
    assert [each.name for each in tmp_path.iterdir()] == ["test.state"]


def test_the_content_reaches_the_disk_before_the_name_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut could leave an empty file under the name of the last whole one."""
    path = tmp_path / "test.state"
    flushed: list[tuple[bool, bool]] = []
    real = os.fsync

    def watched(handle: int) -> None:
        flushed.append((path.exists(), os.path.samestat(os.fstat(handle), tmp_path.stat())))
        real(handle)

    monkeypatch.setattr("os.fsync", watched)
    seal(path, KIND, b"first")
    assert flushed == [(False, False), (True, True)]
