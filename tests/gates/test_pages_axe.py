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

# A telephone by day and a desk by night, Django's own pages by day alone; all else is for `make test-long`.
BY_DAY: Final[tuple[tuple[int, Scheme], ...]] = ((320, "light"),)
LOOKS: Final[tuple[tuple[int, Scheme], ...]] = (*BY_DAY, (1440, "dark"))
OTHER_LOOKS: Final[tuple[tuple[int, Scheme], ...]] = ((320, "dark"), (1440, "light"))
SEEN: Final = [name for name, entry in LIST.items() if entry.group in {"shop", "plant", "payer", "admin"}]
# Django's own pages differ from model to model in their rows alone: those of a few stand for all of the long run.
ALIKE: Final = re.compile(
    r"admin-(?!(fulfillment-job|fulfillment-service|devices-writer)-ch).*-(change|changelist|history|delete|add)"
)
SHORT: Final = [name for name in SEEN if not ALIKE.fullmatch(name)]


@pytest.fixture(scope="module")
def stages(browser: Browser, pages: dict[str, Page]) -> Iterator[dict[tuple[int, Scheme], Stage]]:
    looks = (*LOOKS, *OTHER_LOOKS)
    opened = {look: stage(browser, pages, *look) for look in looks}
    yield {look: context.__enter__() for look, context in opened.items()}
    for context in opened.values():
        context.__exit__(None, None, None)


@pytest.mark.parametrize("name", SHORT)
def test_axe_finds_nothing(
    name: str, pages: dict[str, Page], stages: dict[tuple[int, Scheme], Stage], watch: Watch
) -> None:
    page = pages[name]
    look_at(page, [stages[look] for look in (BY_DAY if page.group == "admin" else LOOKS)], watch)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEN)
def test_axe_finds_nothing_in_the_other_looks(
    name: str, pages: dict[str, Page], stages: dict[tuple[int, Scheme], Stage], watch: Watch
) -> None:
    page = pages[name]
    others = LOOKS[1:] if page.group == "admin" else ()
    look_at(page, [stages[look] for look in (*others, *OTHER_LOOKS)], watch)


def look_at(page: Page, stages: list[Stage], watch: Watch) -> None:
    for each in stages:
        each.show(page)
        assert watch.take() == []
        watch.expect("Applying inline style")  # axe's own: it clones fields to measure them
        found = [f"{rule}: {node}" for rule, node in each.violations() if not excused(page, rule, node)]
        assert not found, "\n".join(found)
        assert each.wider_than_the_screen() <= 0
        assert watch.take() == []


def excused(page: Page, rule: str, node: str) -> bool:
    return any(foreign.is_it(page.group, rule, node) for foreign in FOREIGN_NODES)
