"""The papers as the HTML that WeasyPrint makes PDFs of. A part of the list in `pages.py`, judged as markup alone."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

from fulfillment.papers import rendering
from fulfillment.papers.faces import render_faces
from fulfillment.papers.label import render_label
from fulfillment.papers.slip import render_slip
from tests.fulfillment.papers.contents import HOSTILE, address, face, label, line, slip
from tests.gates.pages import Answer, World, visit


def html_of(make: Callable[[], rendering.Pdf]) -> Answer:
    """The last document that was laid out while the paper was made: those before it only measured."""
    with mock.patch.object(rendering, "_laid_out", wraps=rendering._laid_out) as laid_out:
        make()
    return Answer(200, {}, laid_out.call_args.args[0], "")


@visit("paper-address-label", "papers")
def address_label(world: World) -> Answer:
    return html_of(lambda: render_label(label(address(name=HOSTILE[0], organisation="Chester Beatty"))))


@visit("paper-packing-slip", "papers")
def packing_slip(world: World) -> Answer:
    return html_of(lambda: render_slip(slip(line(1, 12), line(2, 1, HOSTILE[1]))))


@visit("paper-disc-faces", "papers")
def disc_faces(world: World) -> Answer:
    return html_of(lambda: render_faces([face(), face(HOSTILE[0]), face(mini=True)]))
