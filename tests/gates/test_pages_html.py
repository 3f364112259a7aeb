"""Every page, fragment, error state and paper is valid HTML, and every address of the shop is among them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver

from tests.gates.foreign import FOREIGN_MARKUP, Foreign
from tests.gates.pages import Answer, Page

VNU: Final = Path(__file__).parents[1] / "html/node_modules/vnu-jar/build/dist/vnu.jar"

# Addresses at which nothing is to be seen. All others must be in the list of pages.
NO_PAGE: Final = {
    "cart-remove": "leads to the cart: cart-removed",
    "paid": "leads to the order: order-payment-being-confirmed",
    "checkout-cancelled": "leads to the review or the cart: review-payment-cancelled, cart-payment-cancelled",
    "alive": "for monitors: text",
    "ready": "for monitors: JSON",
    "metrics": "for monitors: text",
    "schema": "for programs: OpenAPI",
    "console-ended": "for the console's script: JSON",
    "console-cancel": "leads to the copy: copy-cancelling",
    "console-give-up": "leads to the copy: copy-unknown",
    "console-seen": "leads to the copy: copy-seen",
    "uploads": "for tus clients: no page",
    "upload-file": "as uploads",
    "upload-begin": "for the console's script: JSON",
    "upload-form": "leads to the console",
    "upload-give-up": "as upload-form",
    "upload-again": "as upload-form",
    "fleet-maintenance": "leads to the writer, as fleet-drain does: writer-drained",
    "fleet-resume": "as fleet-drain",
    "fleet-drive-drain": "leads to the writer: writer-answered",
    "fleet-drive-resume": "as fleet-drive-drain",
    "fleet-drive-eject": "as fleet-drive-drain",
    "fleet-drive-loaded": "leads to the writer: writer-late-answer",
    "fleet-drive-taken-out": "as fleet-drive-loaded",
    "fleet-drive-serviced": "leads to the writer: writer-drive-serviced",
    "fleet-bin-put-in": "leads to the writer: writer-blanks-put-in",
    "fleet-image-purge": "leads to the writer: writer-image-purged",
    "stripe-webhook": "for the payer: JSON",
    "devices:enrol": "for agents: JSON",
    "devices:writer": "for programs: JSON",
    "devices:writers": "for programs: JSON",
    "devices:report": "for agents: JSON",
    "writer-file": "for agents: bytes",
    "admin:fulfillment_paper_file": "a PDF",
    "admin:autocomplete": "JSON",
    "<path:object_id>/": "leads to the row's form",
    "(?P<url>.*)$": "any other address of the admin: admin-unknown",
}


def addresses(patterns: list[Any], spaces: tuple[str, ...] = ()) -> Iterator[str]:
    """The name of each address as Django resolves it: `admin:index`, `order`; the pattern where there is no name."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = (*spaces, pattern.namespace) if pattern.namespace else spaces
            yield from addresses(pattern.url_patterns, inner)
        elif isinstance(pattern, URLPattern):
            yield ":".join((*spaces, pattern.name)) if pattern.name else str(pattern.pattern)


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that the checker has against a page."""

    page: Page
    message: str
    extract: str

    def is_about(self, foreign: Foreign) -> bool:
        return foreign.is_it(self.page.group, self.message, self.extract)

    def __str__(self) -> str:
        return f"{self.page.name}: {self.message} At: {self.extract}"


def validate(folder: Path, pages: dict[str, Page]) -> list[Said]:
    """One run of the checker over all documents: errors, warnings and infos alike."""
    for page in pages.values():
        (folder / f"{page.name}.html").write_text(page.document)
    command = ["java", "-jar", str(VNU), "--format", "json", "--stdout", "--exit-zero-always", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return [
        Said(pages[Path(said["url"]).stem], said["message"], said.get("extract", "").strip())
        for said in json.loads(done.stdout)["messages"]
    ]


@pytest.fixture(scope="module")
def said(pages: dict[str, Page], tmp_path_factory: pytest.TempPathFactory) -> list[Said]:
    documents = {name: page for name, page in pages.items() if page.group != "assets"}
    return validate(tmp_path_factory.mktemp("html"), documents)


def test_every_page_and_error_state_is_valid_html(said: list[Said], pages: dict[str, Page]) -> None:
    ours = [each for each in said if not any(each.is_about(foreign) for foreign in FOREIGN_MARKUP)]
    assert [str(each) for each in ours] == []


def test_nothing_is_excused_that_does_not_happen(said: list[Said]) -> None:
    needless = [foreign for foreign in FOREIGN_MARKUP if not any(each.is_about(foreign) for each in said)]
    assert needless == []


def test_every_address_is_in_the_list_of_pages(pages: dict[str, Page]) -> None:
    """A new page needs a visit in `pages_*.py`; an address without a page is named above, with the reason."""
    seen = {page.answer.route for page in pages.values()}
    known = set(addresses(get_resolver().url_patterns))
    assert known - seen - NO_PAGE.keys() == set()
    assert NO_PAGE.keys() - known == set()
    assert NO_PAGE.keys() & seen == set()


def test_every_page_of_the_payer_is_in_the_list(pages: dict[str, Page]) -> None:
    seen = {page.answer.route for page in pages.values()}
    known = {f"payer: {route}" for route in addresses(get_resolver("storefront.standin.urls").url_patterns)}
    assert {route for route in known - seen if not route.startswith("payer: v1/")} == {"payer: standin.css"}


def test_every_model_of_the_admin_is_shown_with_its_rows(pages: dict[str, Page]) -> None:
    for model in admin.site._registry:
        page = pages[f"admin-{model._meta.label_lower.replace('.', '-')}-changelist"]
        assert 'id="result_list"' in page.document, f"No row of {model._meta.label}: make one in pages_admin.py."


def test_every_page_carries_the_content_security_policy(pages: dict[str, Page]) -> None:
    for page in pages.values():
        if page.group in {"shop", "plant", "payer", "admin"}:
            policy = set(page.answer.headers["Content-Security-Policy"].split("; "))
            assert policy & {"default-src 'self'", "default-src 'none'"}, page.name
            assert {"base-uri 'none'", "frame-ancestors 'none'"} <= policy, page.name
            assert not any("unsafe" in directive for directive in policy), page.name
            assert not re.search(r"<script>|<style|\sstyle=|\son\w+=", page.document), page.name


BROKEN: Final = {
    "list": ("<ul><p>no list</p></ul>", "Element “p” not allowed as child of element “ul”"),
    "id": ("<p id=a></p><p id=a></p>", "Duplicate ID “a”"),
    "alt": ('<img src="/x.png">', "An “img” element must have an “alt” attribute"),
}


def test_the_checker_sees_what_is_broken(tmp_path: Path) -> None:
    head = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>x</title></head>'
    answer = Answer(200, {}, "", "")
    pages = {name: Page(name, "shop", answer, f"{head}<body>{body}</body>") for name, (body, _) in BROKEN.items()}
    said = validate(tmp_path, pages)
    assert not any(each.is_about(foreign) for each in said for foreign in FOREIGN_MARKUP)
    for name, (_, told) in BROKEN.items():
        assert any(told in each.message for each in said if each.page.name == name), name
