"""The copy console, whole: an operator in Chromium, his own folder, real agents and real discs."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.archive.conftest import contents, extract_with_xorriso
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
