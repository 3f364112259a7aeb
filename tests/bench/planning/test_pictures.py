"""The pictures of docs/planning.md are what the planner of today draws."""

from __future__ import annotations

from xml.etree import ElementTree

from tests.bench.planning.pictures import DOCS, pictures


def test_the_pictures_are_those_that_the_planner_draws_now() -> None:
    """If not: python -m tests.bench.planning.pictures, and see that the captions still hold."""
    drawn = pictures()
    page = (DOCS / "planning.md").read_text(encoding="utf-8")
    assert {file.name for file in DOCS.glob("planning-*.svg")} == {file.name for file in drawn}
    for file, svg in drawn.items():
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own
        assert file.read_text(encoding="utf-8") == svg, file.name
        assert f"]({file.name})" in page
