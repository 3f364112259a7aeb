"""Rotated tokens on a disk that fails: who is let in, and what is presented, is what a restart knows too."""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from devices.agent import private
from devices.agent.tokens import Tokens


def digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def open_tokens(folder: Path) -> Tokens:
    return Tokens(folder / "tokens.json", "report-1", (digest("command-1"),))


def fill_the_disk(patch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    patch.setattr(private, "write", refuse)


def test_a_report_token_that_cannot_be_kept_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = open_tokens(tmp_path)
    fill_the_disk(monkeypatch)
    with pytest.raises(OSError, match="No space"):
        tokens.next_report("report-2")
    assert tokens.report() == open_tokens(tmp_path).report() == "report-1"


def test_the_old_report_token_stays_until_it_can_be_dropped_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = open_tokens(tmp_path)
    tokens.next_report("report-2")
    with monkeypatch.context() as patch:
        fill_the_disk(patch)
        tokens.report_worked("report-2")
    assert tokens.report_refused("report-2")
    assert open_tokens(tmp_path).report_refused("report-2")


def test_a_command_token_that_cannot_be_kept_is_not_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = open_tokens(tmp_path)
    fill_the_disk(monkeypatch)
    with pytest.raises(OSError, match="No space"):
        tokens.next_command(digest("command-2"))
    for each in (tokens, open_tokens(tmp_path)):
        assert (each.allows("command-1"), each.allows("command-2")) == (True, False)


def test_the_newest_command_token_is_let_in_though_the_old_one_cannot_be_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = open_tokens(tmp_path)
    tokens.next_command(digest("command-2"))
    with monkeypatch.context() as patch:
        fill_the_disk(patch)
        assert [tokens.allows(token) for token in ("command-2", "command-1", "command-3")] == [True, True, False]
    assert [tokens.allows(token) for token in ("command-2", "command-1")] == [True, False]
    assert [open_tokens(tmp_path).allows(token) for token in ("command-1", "command-2")] == [False, True]


def test_a_secret_s_name_is_on_the_disk_as_well_as_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bool] = []
    fsync = os.fsync

    def seen(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode) and (tmp_path / "secret").exists())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", seen)
    private.write(tmp_path / "secret", "text")
    assert synced == [False, True]
