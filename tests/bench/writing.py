"""A disc of 600 MB through the agent, with its read-back, against the bare burner and one pass of hashlib."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from uuid import uuid4

from tests.bench.measuring import Row, in_turns, run, timed
from tests.devices.agent.plant import AgentProcess, Shop, await_true, running

SIZE = 600 * 1_000_000 // 2048 * 2048


def measure(folder: Path, rounds: int) -> list[Row]:
    shop = Shop()
    image = folder / "image.iso"
    image.write_bytes(os.urandom(SIZE))
    try:
        with running(folder / "agent", shop, drives=1) as agent:
            digest = agent.have(image.read_bytes())
            ours, peers = in_turns(rounds, lambda: _through_agent(agent, digest), lambda: _bare(folder, image))
    finally:
        shop.close()
    peer = "xorriso -as cdrecord fs=64m, then hashlib"
    return [Row("Write and verify 600 MB through the agent", peer, ours, peers, 1.3)]


def _through_agent(agent: AgentProcess, digest: str) -> float:
    serial = uuid4().hex[:12].upper()

    def write() -> None:
        uuid, answer = agent.write(digest, serial, verify=True)
        assert answer.status == 201, answer.raw
        await_true(lambda: agent.found(uuid)["state"] == "done", 60)
        assert agent.discs(uuid)[serial]["state"] == "good"

    seconds = timed(write)
    agent.disc(serial).unlink()
    return seconds


def _bare(folder: Path, image: Path) -> float:
    disc = folder / "bare.img"

    def write() -> None:
        run("xorriso", "-no_rc", "-as", "cdrecord", "-v", f"dev=stdio:{disc}", "fs=64m", image)
        digest, left = hashlib.sha256(), SIZE
        with disc.open("rb", buffering=0) as file:
            while left:
                piece = file.read(min(1 << 20, left))
                digest.update(piece)
                left -= len(piece)

    seconds = timed(write)
    disc.unlink()
    return seconds
