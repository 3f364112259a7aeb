"""A small catalogue made of real files: what is on this machine, and what is made once by arithmetic."""

from __future__ import annotations

import array
import math
import shutil
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import django
import pycdlib
import rest_framework
from django.core.management import call_command

from storefront.models import Product


@dataclass(frozen=True, slots=True)
class Offer:
    """What `manage.py archive add` is told."""

    part_number: str
    title: str
    who: str
    kind: str
    description: str
    prices: tuple[tuple[str, str], ...]
    source: Path

    def arguments(self) -> Iterator[list[str]]:
        """One call for each format it is sold on."""
        for format_, price in self.prices:
            yield [
                "add", str(self.source), "--part-number", self.part_number, "--title", self.title, "--who", self.who,
                "--kind", self.kind, "--description", self.description, "--format", format_, "--price", price,
            ]  # fmt: skip


def sell(folder: Path) -> None:
    """Puts everything into the archive and the shop, from sources under `folder`; what is there already stays."""
    for offer in build(folder):
        for arguments in offer.arguments():
            format_ = arguments[arguments.index("--format") + 1]
            if not Product.objects.filter(title__part_number=offer.part_number, format=format_).exists():
                call_command("archive", *arguments, stdout=StringIO())


def build(folder: Path) -> list[Offer]:
    """Makes the sources under `folder` (once; seconds) and says what to add."""
    return [
        Offer(
            "P-1001", "pycdlib, complete", "Chris Lalancette", "software",
            "The library that mastered the very disc it is on, as source.",
            (("cd", "9.90"),),
            _package(pycdlib.__file__, folder / "pycdlib"),
        ),
        Offer(
            "P-1002", f"Django {django.get_version()}", "Django Software Foundation", "software",
            "The web framework for perfectionists with deadlines: source, templates and translations.",
            (("cd", "14.90"), ("dvd", "16.90")),
            _package(django.__file__, folder / "django"),
        ),
        Offer(
            "P-1003", "REST, on one disc", "Encode", "software",
            "Django REST framework as source, for reading on a train.",
            (("cd", "11.50"),),
            _package(rest_framework.__file__, folder / "rest_framework"),
        ),
        Offer(
            "P-2001", "Études for Two Oscillators", "The Arithmetic Ensemble", "music",
            "Four short pieces in just intonation, as WAV files.",
            (("cd", "12.00"),),
            _music(folder / "etudes"),
        ),
        Offer(
            "P-3001", "Circles", "An Afternoon's Loop", "film",
            "A very short film about a disc that turns. Uncompressed YUV4MPEG.",
            (("dvd", "15.00"), ("cd", "13.00")),
            _film(folder / "circles"),
        ),
    ]  # fmt: skip


def _package(module_file: str | None, target: Path) -> Path:
    """A package's files as installed, without what Python wrote beside them."""
    source = Path(module_file or "").parent
    if not target.exists():
        made = target.with_suffix(".part")
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(source, made, ignore=shutil.ignore_patterns("__pycache__"))
        made.rename(target)
    return target


def _music(target: Path) -> Path:
    target.mkdir(parents=True, exist_ok=True)
    pieces = {"1 Unison": (1, 1), "2 Fifth": (3, 2), "3 Fourth": (4, 3), "4 Third": (5, 4)}
    for name, ratio in pieces.items():
        path = target / f"{name}.wav"
        if not path.exists():
            _piece(path, ratio)
    return target


def _piece(path: Path, ratio: tuple[int, int], seconds: int = 6, rate: int = 44_100) -> None:
    """Two sine waves that glide into their interval, one in each ear."""
    upper, lower = ratio
    samples = array.array("h")
    for number in range(seconds * rate):
        now = number / rate
        loudness = 12_000 * math.sin(math.pi * now / seconds)
        samples.append(int(loudness * math.sin(2 * math.pi * 220 * now)))
        samples.append(int(loudness * math.sin(2 * math.pi * 220 * upper / lower * now)))
    part = path.with_suffix(".part")
    with wave.open(str(part), "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples.tobytes())
    part.rename(path)


def _film(target: Path, width: int = 160, height: int = 120, frames: int = 150) -> Path:
    """A bright spot that circles round a hub, as YUV 4:2:0."""
    target.mkdir(parents=True, exist_ok=True)
    path = target / "circles.y4m"
    if path.exists():
        return target
    grey = bytes([128]) * (width * height // 2)
    part = path.with_suffix(".part")
    with part.open("wb") as film:
        film.write(f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420\n".encode())
        for frame in range(frames):
            film.write(b"FRAME\n" + _frame(width, height, 2 * math.pi * frame / 50) + grey)
    part.rename(path)
    return target


def _frame(width: int, height: int, angle: float) -> bytes:
    spot_x, spot_y = width / 2 + 40 * math.cos(angle), height / 2 + 40 * math.sin(angle)
    return bytes(
        235
        if (x - spot_x) ** 2 + (y - spot_y) ** 2 < 64
        else 60
        if (x - width / 2) ** 2 + (y - height / 2) ** 2 < 100
        else 24
        for y in range(height)
        for x in range(width)
    )
