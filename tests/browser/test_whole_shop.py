"""The whole shop as `make demo` starts it, by browser: from the title to the door, and the copy console.

One demo for both, because to start one takes longer than what is done with it.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from devices.agent import wire
from tests.archive.conftest import contents, extract_with_xorriso
from tests.browser import journey
from tests.browser.by_hand import fed_by_hand
from tests.browser.demo import PASSWORD, Demo
from tests.storefront.standin.running import await_until

pytestmark = pytest.mark.timeout(240)

# What the page would show beside the clock; the browser's own is behind a permission that no test can see.
RECORDED: Final = """
window.Notification = class extends EventTarget {
  static permission = "granted";
  constructor(title, options) {
    super();
    document.documentElement.dataset.notified = `${title} | ${options.body}`;
  }
};
"""
SEEN: Final = re.compile("^Seen.*Holiday pictures done$")
MIB: Final = 1 << 20


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


# -- the copy console -------------------------------------------------------------------------------------------------


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """A folder that takes a drive some seconds: xorriso takes 16 MB at once and keeps to the speed from there on."""
    folder = tmp_path / "Holiday pictures"
    (folder / "summer").mkdir(parents=True)
    (folder / "read me.txt").write_text("By the sea.\n")
    (folder / "summer" / "beach.bin").write_bytes(random.Random(4).randbytes(80 * MIB))
    (folder / "summer" / "empty").touch()
    return folder


@pytest.fixture
def signed_in(demo: Demo, browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    context.add_init_script(RECORDED)
    page = context.new_page()
    page.goto(f"{demo.url}/plant/console/")
    page.get_by_label("Username").fill("staff")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Copy console")).to_be_visible()
    yield context
    context.close()


def test_from_a_folder_to_a_disc_that_was_confirmed(
    demo: Demo, browser: Browser, signed_in: BrowserContext, songs: Path
) -> None:
    (page,) = signed_in.pages
    page.locator("[data-chosen=folder]").set_input_files(songs)
    page.get_by_role("radio", name=re.compile("^Writer 1 ")).check()
    page.locator("#from-uploads").get_by_role("radio", name=re.compile("^Holiday pictures")).check(timeout=60_000)
    page.get_by_role("checkbox", name=re.compile("^Drive 1")).check()
    page.get_by_role("button", name="Start").dblclick()
    expect(page).to_have_url(re.compile("/plant/console/copies/[0-9a-f-]{36}/$"))
    address = page.url

    # Nobody reloads: the ring fills, and the end is told where it is read, heard and seen.
    expect(page.locator(".ring.writing")).to_be_visible(timeout=60_000)
    filled = _how_full(page)
    expect(page.locator(".ring.good")).to_have_count(1, timeout=60_000)
    assert any(0 < percent < 100 for percent in filled), filled
    expect(page.get_by_text("1 disc, each read back and good.", exact=True)).to_be_visible()
    expect(page.locator("#told")).to_have_text("Holiday pictures: done. 1 of 1 good.")
    told = "Holiday pictures: done | 1 disc, each read back and good."
    expect(page.locator("html")).to_have_attribute("data-notified", told, timeout=20_000)
    mails = demo.data / "mail"
    await_until(lambda: any("Holiday pictures: done" in path.read_text(errors="replace") for path in mails.glob("*")))

    # A second browser, which missed it, shows it at its next visit; who confirms it here confirms it there.
    second = browser.new_context(storage_state=signed_in.storage_state())
    other = second.new_page()
    other.goto(f"{demo.url}/plant/console/")
    expect(other.get_by_role("link", name=re.compile("Console 1 ended and not confirmed"))).to_be_visible()
    expect(other.get_by_role("button", name=SEEN)).to_be_visible()
    page.get_by_role("button", name="Seen").click()
    expect(page.get_by_text("Seen by staff", exact=False)).to_be_visible()
    expect(other.get_by_role("button", name=SEEN)).to_have_count(0, timeout=5_000)
    other.goto(address)
    expect(other.get_by_text("Seen by staff", exact=False)).to_be_visible()
    second.close()

    _the_disc_is_the_folder(demo, songs)


def _how_full(page: Page) -> set[int]:
    """How full the ring was, each time it was seen, until its disc was good."""
    seen: set[int] = set()
    while page.locator(".ring.writing").count():
        dashes = page.locator(".rings .ring .written").first.get_attribute("stroke-dasharray") or "0 100"
        seen.add(int(dashes.split()[0]))
        page.wait_for_timeout(50)  # between two looks; the test's own time bounds them
    return seen


def _the_disc_is_the_folder(demo: Demo, songs: Path) -> None:
    """Two clicks wrote one disc, and it holds just these files."""
    rows: list[tuple[Any, ...]] = demo.rows(
        "SELECT d.serial, w.image_sha256, w.image_size FROM devices_disc d JOIN devices_write w ON w.id = d.write_id"
        " JOIN fulfillment_copywrite c ON c.write_id = w.id WHERE d.state = 'good'"
    )
    ((serial, sha256, size),) = rows
    assert demo.rows("SELECT COUNT(*) FROM fulfillment_copy") == [(1,)]
    disc = demo.data / "demo" / "writer-1" / "discs" / f"{serial}.img"
    image = disc.read_bytes()[:size]
    assert hashlib.sha256(image).hexdigest() == sha256
    made = demo.data / "images" / sha256[:2] / f"{sha256}.iso"
    assert contents(extract_with_xorriso(made, songs.parent / "out")) == contents(songs)
    assert list((demo.data / "uploads").iterdir()) == []
