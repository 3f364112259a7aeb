"""The main job, whole: a customer in Chromium, staff in the admin, and every process as `make demo` starts it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from devices.agent import wire
from tests.browser import journey
from tests.browser.by_hand import fed_by_hand
from tests.browser.demo import PASSWORD, Demo
from tests.storefront.standin.running import await_until


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """On a telephone."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    yield context.new_page()
    context.close()


def test_from_the_title_to_the_door(demo: Demo, page: Page, browser: Browser) -> None:
    journey.put_into_cart(page, demo.url, "P-1001", 2)
    journey.to_payment(page, demo.url)
    journey.pay(page, card="4000 0000 0000 0002")
    expect(page.get_by_text("Nothing was charged", exact=False)).to_be_visible()
    journey.pay(page)
    expect(page.get_by_role("heading", name="Your discs arrive")).to_be_visible()
    number = re.search(r"S-[0-9A-Z]{8}", page.inner_text("main"))
    assert number is not None

    # Nobody reloads: the page itself goes on.
    expect(page.get_by_text("2 of 2 discs written", exact=True)).to_be_visible(timeout=60_000)
    expect(page.locator("li.current")).to_have_text("Packed", timeout=20_000)
    expect(page.locator(".ring.good")).to_have_count(2)

    staff = browser.new_context().new_page()
    _pack_and_ship(staff, demo, number[0])
    staff.context.close()
    expect(page.locator("ol.steps li.done")).to_have_count(5, timeout=20_000)

    _discs_are_what_was_ordered(demo, number[0])
    _papers_and_mail_are_there(demo, number[0])


def test_wrong_entries_are_told_beside_their_fields(demo: Demo, browser: Browser) -> None:
    page = browser.new_context().new_page()
    journey.put_into_cart(page, demo.url, "P-1001", 1)
    page.goto(f"{demo.url}/checkout/")
    page.get_by_role("button", name="Look over the order").click()
    expect(page.get_by_role("alert")).to_contain_text("5 fields need another look")
    email = page.get_by_role("textbox", name="E-mail")
    expect(email).to_have_attribute("aria-invalid", "true")
    described = (email.get_attribute("aria-describedby") or "").split()
    assert "Enter your e-mail address" in page.locator(f"#{described[-1]}").inner_text()
    page.context.close()


def test_dates_follow_the_country_without_a_reload(demo: Demo, browser: Browser) -> None:
    page = browser.new_context().new_page()
    journey.put_into_cart(page, demo.url, "P-1001", 1)
    page.goto(f"{demo.url}/checkout/")
    expect(page.get_by_text("€3.90")).to_be_visible()
    page.get_by_label("Country").select_option("JP")
    expect(page.get_by_text("€11.90")).to_be_visible()
    page.context.close()


def test_the_whole_way_works_without_javascript(demo: Demo, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    journey.put_into_cart(page, demo.url, "P-1003", 1)
    journey.to_payment(page, demo.url)
    journey.pay(page)
    expect(page.get_by_role("heading", name="Your discs arrive")).to_be_visible()
    context.close()


def test_an_operator_with_a_telephone_feeds_a_drive(demo: Demo, browser: Browser) -> None:
    telephone = browser.new_context(viewport={"width": 360, "height": 740})
    page = telephone.new_page()
    with fed_by_hand(demo, "Bench by the window") as agent:
        agent.want("d1", "blank")
        page.goto(f"{demo.url}/plant/fleet/{agent.writer}/")
        _log_in(page)
        expect(page.get_by_role("heading", name="Bench by the window")).to_be_visible()
        page.evaluate("document.body.dataset.stays = 'yes'")  # nobody reloads: the page itself goes on
        expect(page.get_by_role("heading", name="Drive 1: insert a Blu-ray BD-R")).to_be_visible(timeout=20_000)
        expect(page.get_by_role("status").first).to_have_text("Drive 1: insert a Blu-ray (BD-R).")
        blank_is_in = page.get_by_role("button", name="Blank is in")
        assert (blank_is_in.bounding_box() or {"height": 0})["height"] >= 44
        assert page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
        expect(page.locator("body[data-stays]")).to_have_count(1)
        blank_is_in.click()
        expect(page.get_by_text("Drive 1 goes on with the blank.")).to_be_visible()
        await_until(lambda: agent.drives[0].wants is None)

        page.evaluate("document.body.dataset.stays = 'yes'")
        agent.set_drive("d1", state=wire.DriveState.BUSY, progress=0.4, serial="4K7P2M9XQR3T")
        ring = page.get_by_role("img", name=re.compile("^Drive 1"))
        expect(ring).to_have_accessible_name("Drive 1: 40 %, disc 4K7P-2M9X-QR3T", timeout=20_000)
        expect(blank_is_in).to_have_count(0)
        agent.set_drive("d1", state=wire.DriveState.IDLE)
        agent.want("d1", "take-out", "4K7P2M9XQR3T")
        expect(page.get_by_role("heading", name="Drive 1: take out, mark 4K7P-2M9X-QR3T")).to_be_visible(timeout=20_000)
        expect(page.locator("body[data-stays]")).to_have_count(1)
        page.get_by_role("button", name="Taken out and marked").dblclick()
        await_until(lambda: agent.drives[0].serial is None)
        expect(ring).to_have_accessible_name("Drive 1: idle", timeout=20_000)
        expect(page.get_by_role("button", name="Taken out and marked")).to_have_count(0)
        words = [call.rpartition("/")[2] for call in agent.calls if "/v1/drives/" in call]
        assert words == ["loaded", "taken-out"]
    telephone.close()


def _log_in(staff: Page) -> None:
    staff.get_by_label("Username").fill("staff")
    staff.get_by_label("Password").fill(PASSWORD)
    staff.get_by_role("button", name="Log in").click()


def _pack_and_ship(staff: Page, demo: Demo, number: str) -> None:
    staff.goto(f"{demo.url}/admin/fulfillment/shipment/?q={number}")
    _log_in(staff)
    for action, said in (("Mark packed", "1 packed."), ("Mark shipped", "1 shipped.")):
        staff.locator("input.action-select").first.check()
        staff.get_by_label("Action:").select_option(label=action)
        staff.get_by_role("button", name="Go").click()
        expect(staff.get_by_text(said)).to_be_visible()


def _discs_are_what_was_ordered(demo: Demo, number: str) -> None:
    discs = demo.rows(
        "SELECT d.serial, w.image_sha256, w.image_size, r.name FROM fulfillment_allocation a"
        " JOIN devices_disc d ON d.id = a.disc_id JOIN devices_write w ON w.id = d.write_id"
        " JOIN devices_writer r ON r.id = w.writer_id JOIN fulfillment_job j ON j.id = a.job_id"
        " WHERE j.reference LIKE ?",
        f"{number}/%",
    )
    assert len(discs) == 2
    for serial, sha256, size, writer in discs:
        assert isinstance(size, int)
        folder = str(writer).lower().replace(" ", "-")
        disc = demo.data / "demo" / folder / "discs" / f"{serial}.img"
        assert hashlib.sha256(disc.read_bytes()[:size]).hexdigest() == sha256


def _papers_and_mail_are_there(demo: Demo, number: str) -> None:
    expected = {"address-label.pdf", "packing-slip.pdf", "disc-face.pdf"}
    await_until(lambda: {path.name for path in (demo.data / "papers" / number).glob("*.pdf")} == expected)
    mails = [path.read_text(errors="replace") for path in (demo.data / "mail").iterdir()]
    assert any(f"Your order {number}" in mail for mail in mails)
