"""A customer without a screen: uses the same pages, forms and links as one with a browser, and nothing else."""

from __future__ import annotations

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

TEST_CARD: Final = "4242424242424242"
BUYER: Final = {
    "name": "Ada Demo",
    "email": "ada@example.com",
    "line1": "Hauptstraße 12",
    "postal_code": "10827",
    "city": "Berlin",
    "country": "DE",
}


class DoorShut(Exception):
    """A page did not offer what a customer expects there; the text says which page and what it said."""


@dataclass(slots=True)
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    """The forms of a page with the values a browser would send if only the button were pressed."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.problems: list[str] = []
        self._select: str | None = None
        self._in_problem = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        classes = (given.get("class") or "").split()
        self._in_problem = self._in_problem or "problem" in classes or "error" in classes
        if tag == "form":
            self.forms.append(Form(given.get("action") or "", (given.get("method") or "get").lower()))
        elif self.forms and tag == "input" and (name := given.get("name")):
            offered = given.get("type") not in {"radio", "checkbox"} or "checked" in given
            if offered:
                self.forms[-1].fields[name] = given.get("value") or ""
        elif tag == "select":
            self._select = given.get("name")
        elif self.forms and tag == "option" and self._select and "selected" in given:
            self.forms[-1].fields[self._select] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag in {"span", "p", "div"}:
            self._in_problem = False

    def handle_data(self, data: str) -> None:
        if self._in_problem and data.strip():
            self.problems.append(data.strip())


@dataclass(slots=True)
class Page:
    url: str
    text: str

    def form(self, action_part: str) -> Form:
        """The form whose action contains that. Raises DoorShut."""
        parser = _Forms()
        parser.feed(self.text)
        for form in parser.forms:
            target = urllib.parse.urljoin(self.url, form.action)
            if action_part in target and form.method == "post":
                form.action = target
                return form
        said = "; ".join(parser.problems) or "no form of that kind"
        raise DoorShut(f"{self.url}: {said}")

    def problems(self) -> str:
        parser = _Forms()
        parser.feed(self.text)
        return "; ".join(parser.problems)


class Customer:
    def __init__(self) -> None:
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._jar)
        )

    def cookies(self) -> list[http.cookiejar.Cookie]:
        return list(self._jar)

    def get(self, url: str) -> Page:
        return self._open(urllib.request.Request(url))  # noqa: S310  (addresses of the demo itself)

    def submit(self, page: Page, action_part: str, **values: str) -> Page:
        """Fills in a form of the page and sends it; follows redirects as a browser does."""
        form = page.form(action_part)
        body = urllib.parse.urlencode(form.fields | values).encode()
        request = urllib.request.Request(form.action, data=body)  # noqa: S310  (our own address)
        request.add_header("Referer", page.url)
        return self._open(request)

    def order(self, shop_url: str, part_number: str, copies: int, *, card: str = TEST_CARD) -> Page:
        """From a title's page to the paid order's page, whose address is the private link. Raises DoorShut."""
        title = self.get(f"{shop_url}/titles/{part_number}/")
        self.submit(title, "/cart/add/", copies=str(copies))
        checkout = self.get(f"{shop_url}/checkout/")
        review = self.submit(checkout, "/checkout/", **BUYER)
        hosted = self.submit(review, "/checkout/pay/")
        return self.pay(hosted, card)

    def pay(self, hosted: Page, card: str) -> Page:
        return self.submit(hosted, "/c/pay/", number=card, expiry="12/34", cvc="123", name=BUYER["name"])

    def _open(self, request: urllib.request.Request) -> Page:
        try:
            with self._opener.open(request, timeout=30) as answer:
                return Page(answer.url, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                page = Page(request.full_url, error.read().decode(errors="replace"))
            raise DoorShut(f"{request.full_url} answered {error.code}: {page.problems() or error.reason}") from error
