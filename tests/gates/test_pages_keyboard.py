"""What axe can't see: pages by keyboard alone, live pages that rest, and that the gate in the browser shuts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from tests.gates.pages import Page
from tests.gates.pages_browser import Stage, stage
from tests.watching import Watch

ROUNDS = 60  # Tab presses at most: no page of the shop has more stops before its main button

OUTLINE = """(() => {
  const style = getComputedStyle(document.activeElement.closest(".choice") ?? document.activeElement);
  return style.outlineStyle !== "none" || style.boxShadow !== "none";
})()"""


@pytest.fixture
def desk(browser: Browser, pages: dict[str, Page]) -> Iterator[Stage]:
    with stage(browser, pages, 1024) as opened:
        yield opened


def focused(tab: Tab, what: str) -> str:
    return str(tab.evaluate(f"document.activeElement.{what} ?? ''"))


def stops(tab: Tab) -> list[str]:
    """Where Tab leads to from the page's beginning, until it leaves the page. Each stop must be seen and outlined."""
    seen: list[str] = []
    for _ in range(ROUNDS):
        tab.keyboard.press("Tab")
        if focused(tab, "tagName") == "BODY":
            break
        seen.append(focused(tab, "name") or focused(tab, "textContent").strip())
        assert tab.evaluate(OUTLINE), f"{seen[-1]}: focus is not seen"
        box = tab.evaluate("(({top, bottom}) => [top, bottom])(document.activeElement.getBoundingClientRect())")
        assert box[1] > 0, f"{seen[-1]}: the focused element is above the window"
        assert box[0] < 900, f"{seen[-1]}: the focused element is below the window"
    return seen


def test_the_first_stop_leads_past_the_head(desk: Stage, pages: dict[str, Page]) -> None:
    for name in ("front", "title", "cart", "checkout", "order-writing", "fleet", "error-500"):
        tab = desk.show(pages[name])
        tab.keyboard.press("Tab")
        expect(tab.get_by_role("link", name="Skip to the content")).to_be_focused()
        expect(tab.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
        tab.keyboard.press("Enter")
        assert tab.evaluate("location.hash") == "#main"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("title", ["product", "copies", "Put into the cart"]),
        ("cart", ["copies", "Set", "Remove Title P-2", "Go to the checkout"]),
        ("checkout", ["name", "email", "line1", "postal_code", "city", "country", "service", "wanted_on"]),
        ("checkout-errors", ["name", "email", "organisation", "region", "service", "Look over the order"]),
        ("review", ["Change address, shipping or date", "Pay"]),
        ("order-unpaid", ["Pay", "Cancel this order"]),
        ("console-chosen", ["unit", "address", "q", "from", "format", "drive", "copies", "Start", "Choose files"]),
        ("fleet", ["Add a writer", "Writer 4", "Writer 3", "Writer 12"]),
        ("writer-by-hand", ["serial", "Drain Drive 1", "Eject Drive 4", "why", "Serviced: Drive 1"]),
        ("writer-busy", ["Drain Drive 1", "why", "Drain", "number", "Load CD-R, Bin 1", "Correct CD-R, Bin 1"]),
        ("payer-pay", ["number", "expiry", "cvc", "name", "Pay"]),
    ],
)
def test_every_form_is_reached_by_tab_in_its_order(
    desk: Stage, pages: dict[str, Page], name: str, wanted: list[str]
) -> None:
    tab = desk.show(pages[name])
    tab.evaluate("document.activeElement.blur()")
    reached = stops(tab)
    reached = [re.sub(r"^Pay .*", "Pay", stop) for stop in reached]
    assert [stop for stop in dict.fromkeys(reached) if stop in wanted] == wanted


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("checkout-errors", "[role=alert]"),
        ("console-errors", "#console [role=alert]"),
        ("writer-blanks-error", "[autofocus]"),
        ("writer-why-error", "[autofocus]"),
        ("fleet-add-error", "[autofocus]"),
        ("title-error", "#id_copies"),
        ("cart-error", "[autofocus]"),
    ],
)
def test_after_an_error_the_keyboard_starts_where_it_is_told(
    desk: Stage, pages: dict[str, Page], name: str, where: str
) -> None:
    tab = desk.show(pages[name])
    expect(tab.locator(where)).to_be_focused()
    expect(tab).to_have_title(re.compile("^Error: "))


def test_an_error_in_the_summary_leads_to_its_field(desk: Stage, pages: dict[str, Page]) -> None:
    tab = desk.show(pages["checkout-errors"])
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(tab.get_by_label("Name")).to_be_focused()


def test_a_live_page_asks_only_while_somebody_looks(desk: Stage, pages: dict[str, Page]) -> None:
    asked: list[str] = []
    desk.tab.on("request", lambda request: asked.append(request.url) if request.url.endswith("/cards/") else None)
    desk.tab.add_init_script(
        "Object.defineProperty(document, 'hidden', {get: () => document.documentElement.dataset.away === 'yes'})"
    )
    desk.tab.clock.install()
    tab = desk.show(pages["fleet"])
    for _ in range(2):
        with tab.expect_request("**/cards/"):
            tab.clock.run_for(4_100)
    tab.evaluate("document.documentElement.dataset.away = 'yes'")
    tab.clock.run_for(60_000)
    assert len(asked) == 2
    tab.evaluate("document.documentElement.dataset.away = 'no'")
    with tab.expect_request("**/cards/"):
        tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert len(asked) == 3, "at once, for whoever comes back"


@pytest.mark.parametrize(
    ("markup", "told"),
    [
        ("<script>document.title = 'x'</script>", "Content Security Policy"),
        ("<p style='color: red'>x</p>", "Content Security Policy"),
        ("<img src='https://elsewhere.example/x.png' alt=''>", "Content Security Policy"),
        ("<script src='/static/nothing.js'></script>", "404"),
    ],
)
def test_a_page_that_breaks_its_policy_is_complained_of(
    browser: Browser, pages: dict[str, Page], watch: Watch, markup: str, told: str
) -> None:
    cart = pages["cart-empty"]
    broken = Page("broken", "shop", cart.answer, cart.document.replace("</main>", f"{markup}</main>"))
    with stage(browser, {"broken": broken}, 1024) as desk:
        desk.show(broken)
    complaints = watch.take()
    assert complaints
    assert told in complaints[0]


def test_axe_sees_what_is_broken(desk: Stage, pages: dict[str, Page]) -> None:
    tab = desk.show(pages["checkout"])
    tab.evaluate("document.querySelector('label[for=id_email]').remove()")
    tab.evaluate("document.querySelector('.masthead nav a').style.color = '#bbb'")
    assert {rule for rule, _ in desk.violations()} >= {"label", "color-contrast"}
