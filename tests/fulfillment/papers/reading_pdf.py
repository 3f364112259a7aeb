"""Reads PDFs back with poppler's programs: what a person would see, in numbers. Lengths are in mm."""

from __future__ import annotations

import html
import re
import subprocess
import tempfile
from dataclasses import dataclass
from typing import Final

import segno

DPI: Final = 200
PIXELS_PER_MM: Final = DPI / 25.4
WHITE: Final = b"\xff"


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    page: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A page as grey pixels; `rows` from top to bottom."""

    rows: list[bytes]

    def row_at(self, y: float) -> bytes:
        return self.rows[int(y * PIXELS_PER_MM)]

    def is_dark(self, x: float, y: float) -> bool:
        return self.row_at(y)[int(x * PIXELS_PER_MM)] < 128

    def ink(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        """The smallest box (mm) round the ink inside a box; raises ValueError where there is none."""
        a, b, first = int(left * PIXELS_PER_MM), int(right * PIXELS_PER_MM), int(top * PIXELS_PER_MM)
        inked = [
            (number, row[a:b])
            for number, row in enumerate(self.rows[first : int(bottom * PIXELS_PER_MM)], first)
            if row[a:b].strip(WHITE)
        ]
        starts = [a + len(row) - len(row.lstrip(WHITE)) for _, row in inked]
        ends = [a + len(row.rstrip(WHITE)) for _, row in inked]
        edges = min(starts), inked[0][0] if inked else 0, max(ends), inked[-1][0] + 1
        x1, y1, x2, y2 = (edge / PIXELS_PER_MM for edge in edges)
        return x1, y1, x2, y2


def run(pdf: bytes, *command: str) -> bytes:
    return subprocess.run(command, input=pdf, capture_output=True, check=True).stdout


def text(pdf: bytes) -> str:
    return run(pdf, "pdftotext", "-layout", "-", "-").decode()


def squeezed(pdf: bytes) -> str:
    """All text in reading order without white space, so that wrapping doesn't matter."""
    return "".join(run(pdf, "pdftotext", "-raw", "-", "-").decode().split())


def words(pdf: bytes) -> list[Word]:
    found, page = [], 0
    for each in run(pdf, "pdftotext", "-bbox", "-", "-").decode().splitlines():
        page += each.lstrip().startswith("<page")
        if match := re.search(r'<word xMin="(.+)" yMin="(.+)" xMax="(.+)" yMax="(.+)">(.*)</word>', each):
            box = [float(edge) * 25.4 / 72 for edge in match.groups()[:4]]
            found.append(Word(html.unescape(match[5]), page, *box))
    return found


def page_sizes(pdf: bytes) -> list[tuple[int, int]]:
    """Width and height of every page, rounded to whole mm."""
    info = run(pdf, "pdfinfo", "-l", "100000", "-").decode()
    sizes = re.findall(r"size: +([\d.]+) x ([\d.]+) pts", info)
    return [(round(float(width) * 25.4 / 72), round(float(height) * 25.4 / 72)) for width, height in sizes]


def attachments(pdf: bytes) -> str:
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:  # this one of poppler's programs reads no pipe
        file.write(pdf)
        file.flush()
        return run(b"", "pdfdetach", "-list", file.name).decode().strip()


def links(pdf: bytes) -> list[str]:
    return run(pdf, "pdfinfo", "-url", "-").decode().splitlines()[1:]


def pictures(pdf: bytes) -> list[Picture]:
    data, found = run(pdf, "pdftoppm", "-r", str(DPI), "-gray"), []
    while data:
        header = re.match(rb"P5\s(\d+)\s(\d+)\s255\s", data)
        assert header is not None
        width, height = int(header[1]), int(header[2])
        pixels, data = data[header.end() : header.end() + width * height], data[header.end() + width * height :]
        found.append(Picture([pixels[y * width : (y + 1) * width] for y in range(height)]))
    return found


def shows_code(picture: Picture, content: str, within: tuple[float, float, float, float]) -> bool:
    """Whether the ink within a box is just the QR code of `content`, its quiet zone of four modules round it."""
    left, top, right, bottom = picture.ink(*within)
    matrix = [bytes(row) for row in segno.make_qr(content, error="q").matrix]
    module = (right - left) / len(matrix)
    assert abs((bottom - top) - (right - left)) < module / 2
    quiet = picture.ink(left - 4 * module, top - 4 * module, right + 4 * module, bottom + 4 * module)
    read = [
        bytes(picture.is_dark(left + (x + 0.5) * module, top + (y + 0.5) * module) for x in range(len(matrix)))
        for y in range(len(matrix))
    ]
    return read == matrix and quiet == (left, top, right, bottom)
