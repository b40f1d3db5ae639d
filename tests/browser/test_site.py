"""The site in a real browser: asks nothing of a network, fits a phone, can be read by all, in both themes."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browsing import watched_page

pytestmark = pytest.mark.browser

TOO_WIDE = """() => [...document.querySelectorAll("main *")]
  .filter((node) => !node.parentElement.closest(".scroll") && node.getBoundingClientRect().right > innerWidth + 1)
  .map((node) => node.outerHTML.slice(0, 120))"""
OPEN = "() => { for (const one of document.querySelectorAll('details')) one.open = true; }"
NOW = "() => { for (const image of document.images) image.loading = 'eager'; }"
DRAWN = "() => [...document.images].every((image) => image.naturalWidth)"


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """A plain file server, without its log."""


@pytest.fixture(scope="module")
def served(built_site: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(built_site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def names(built_site: Path) -> list[str]:
    return sorted(path.name for path in built_site.glob("*.html"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_stays_here_and_breaks_no_rule_of_accessibility(chromium, served, names, violations, theme) -> None:
    with watched_page(chromium, served, color_scheme=theme) as seen:
        for name in names:
            seen.page.goto(f"{served}/{name}")
            seen.page.evaluate(OPEN)
            assert violations(seen.page) == [], name
        seen.assert_clean()


@pytest.mark.parametrize("width", [1280, 360], ids=["wide", "phone"])
def test_every_page_fits_and_only_its_own_parts_scroll(chromium, served, names, width) -> None:
    with watched_page(chromium, served) as seen:
        seen.page.set_viewport_size({"width": width, "height": 740})
        for name in names:
            seen.page.goto(f"{served}/{name}")
            seen.page.evaluate(OPEN)
            assert seen.page.evaluate(TOO_WIDE) == [], name
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= width, name
        seen.assert_clean()


def test_it_opens_from_a_file_with_its_looks_and_pictures(chromium, built_site, names) -> None:
    with watched_page(chromium) as seen:
        seen.page.context.set_offline(True)
        for name in names:
            seen.page.goto((built_site / name).as_uri())
            seen.page.evaluate(NOW)
            seen.page.wait_for_function(DRAWN)
            assert "system-ui" in seen.page.evaluate("getComputedStyle(document.body).fontFamily")
        seen.assert_clean()


def test_it_can_be_walked_with_the_keyboard(chromium, served, names) -> None:
    with watched_page(chromium, served) as seen:
        page = seen.page
        page.goto(f"{served}/index.html")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the text"
        assert page.locator(".skip").bounding_box()["x"] >= 0
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/{names[0]}")
        page.get_by_role("link", name="Next").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/{names[1]}")
        seen.assert_clean()
