"""The disc faces: one page per disc, black type round the hub, nothing on the hub or beyond the rim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.template.loader import render_to_string

from devices.serials import spoken
from fulfillment.papers.content import FaceContent
from fulfillment.papers.rendering import Pdf, largest_fitting, page_count, qr, size_for_lines, size_for_words, to_pdf


@dataclass(frozen=True, slots=True)
class FaceShape:
    """Where things stand on a face: mm from the page's edges, sizes in points.

    Every box has its corners inside the printable ring, less 3 mm for a printer that is not quite centred.
    """

    name: str
    page: float
    rim: float  # diameter of the printable ring
    title_top: float
    title_width: float
    title_height: float
    title_sizes: tuple[float, ...]  # falling
    who_least: float
    side_left: float
    side_width: float
    side_height: float
    mark_size: float
    part_size: float
    code_top: float
    code: float
    serial_size: float

    @property
    def title_left(self) -> float:
        return (self.page - self.title_width) / 2

    @property
    def side_top(self) -> float:
        return (self.page - self.side_height) / 2

    @property
    def code_left(self) -> float:
        return (self.page - self.code) / 2

    @property
    def serial_top(self) -> float:
        return self.code_top + self.code


WHO_SCALE: Final = 0.62  # of the title's size
MARK_LEAST: Final = 6  # points
HUB: Final = 23.0  # mm across: the hole in the printable ring

FULL: Final = FaceShape(
    name="full",
    page=120,
    rim=118,
    title_top=16,
    title_width=70,
    title_height=26,
    title_sizes=(19, 17, 15.5, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5),
    who_least=7,
    side_left=8,
    side_width=32,
    side_height=18,
    mark_size=17,
    part_size=8.5,
    code_top=77.5,
    code=18,
    serial_size=9,
)
MINI: Final = FaceShape(
    name="mini",
    page=80,
    rim=78,
    title_top=9.5,
    title_width=39,
    title_height=15.5,
    title_sizes=(11, 10, 9, 8, 7, 6, 5, 4.5, 4, 3.5, 3, 2.5),
    who_least=5,
    side_left=5.5,
    side_width=19,
    side_height=14,
    mark_size=10,
    part_size=6,
    code_top=54.5,
    code=12.5,
    serial_size=6.5,
)
SHAPES: Final = (FULL, MINI)


class NoDiscsError(Exception):
    """The shipment has no good disc to make a face for: allocate its discs first."""


def render_faces(faces: Sequence[FaceContent]) -> Pdf:
    """One page per disc, in order. Raises NoDiscsError for none, PaperTooFullError for a title that does not fit."""
    if not faces:
        raise NoDiscsError("There is no good disc to make a face for: allocate the shipment's discs first.")
    names = {key: _names(*key) for key in dict.fromkeys(map(_names_key, faces))}  # copies share one measurement
    pages = [
        {
            "face": face,
            "names": names[_names_key(face)],
            "mark_size": _mark_size(face),
            "shape": _shape(face.mini),
            "serial": spoken(face.serial),
            "qr": qr(face.serial),
        }
        for face in faces
    ]
    return to_pdf(render_to_string("papers/disc-faces.html", {"pages": pages, "shapes": SHAPES}))


@dataclass(frozen=True, slots=True)
class _Names:
    """Title and who above the hub, with the points at which they fit there."""

    title: str
    who: str
    title_size: float
    who_size: float


def _names_key(face: FaceContent) -> tuple[str, str, bool]:
    return face.title, face.who, face.mini


def _names(title: str, who: str, mini: bool) -> _Names:
    shape = _shape(mini)

    def names(size: float) -> _Names:
        return _Names(title, who, size, round(max(size * WHO_SCALE, min(size, shape.who_least)), 2))

    def fits(size: float) -> bool:
        html = render_to_string("papers/disc-face-title.html", {"names": names(size), "shape": shape})
        return page_count(html) == 1

    wanted = size_for_words([title], shape.title_width, least=shape.title_sizes[len(shape.title_sizes) // 2])
    sizes = [size for size in shape.title_sizes if size <= wanted]
    return names(largest_fitting(sizes, fits, f"The title «{title}»"))


def _mark_size(face: FaceContent) -> float:
    shape = _shape(face.mini)
    return round(min(shape.mark_size, size_for_lines(face.format.split(), shape.side_width, MARK_LEAST)), 1)


def _shape(mini: bool) -> FaceShape:
    return MINI if mini else FULL
