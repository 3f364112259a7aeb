"""Every page in Chromium, by axe's rules for WCAG 2.2 A and AA, under its own Content-Security-Policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser

from tests.gates.foreign import FOREIGN_NODES
from tests.gates.pages import LIST, Page
from tests.gates.pages_browser import Scheme, Stage, stage
from tests.watching import Watch

LOOKS: Final[tuple[tuple[int, Scheme], ...]] = ((320, "light"), (1440, "dark"), (320, "dark"), (1440, "light"))
SEEN: Final = [name for name, entry in LIST.items() if entry.group in {"shop", "plant", "payer", "admin"}]
# Django's own pages differ from model to model in their rows alone: those of a few stand for all of the long run.
ALIKE: Final = re.compile(
    r"admin-(?!(fulfillment-job|fulfillment-service|devices-writer)-ch).*-(change|changelist|history|delete|add)"
)
# Each page on a telephone by day or at a desk by night, in turns; all else is for `make test-long`.
SHORT: Final = [(name, LOOKS[turn % 2]) for turn, name in enumerate(SEEN) if not ALIKE.fullmatch(name)]


@pytest.fixture(scope="module")
def stages(browser: Browser, pages: dict[str, Page]) -> Iterator[dict[tuple[int, Scheme], Stage]]:
    opened = {look: stage(browser, pages, *look) for look in LOOKS}
    yield {look: context.__enter__() for look, context in opened.items()}
    for context in opened.values():
        context.__exit__(None, None, None)


@pytest.mark.parametrize(("name", "look"), SHORT, ids=[name for name, _ in SHORT])
def test_axe_finds_nothing(
    name: str, look: tuple[int, Scheme], pages: dict[str, Page], stages: dict[tuple[int, Scheme], Stage], watch: Watch
) -> None:
    look_at(pages[name], stages[look], watch)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEN)
def test_axe_finds_nothing_in_any_look(
    name: str, pages: dict[str, Page], stages: dict[tuple[int, Scheme], Stage], watch: Watch
) -> None:
    for look in LOOKS:
        look_at(pages[name], stages[look], watch)


def look_at(page: Page, on: Stage, watch: Watch) -> None:
    on.show(page)
    assert watch.take() == []
    watch.expect("Applying inline style")  # axe's own: it clones fields to measure them
    found = [f"{rule}: {node}" for rule, node in on.violations() if not excused(page, rule, node)]
    assert not found, "\n".join(found)
    assert on.wider_than_the_screen() <= 0
    assert watch.take() == []


def excused(page: Page, rule: str, node: str) -> bool:
    return any(foreign.is_it(page.group, rule, node) for foreign in FOREIGN_NODES)
