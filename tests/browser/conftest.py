"""Fixtures of the browser tests: `mount` a view without Jupyter, `run_nb` a notebook in a real JupyterLab."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

if "browsing" not in sys.modules:
    pytest.importorskip("playwright", reason="Playwright drives the browser: pip install playwright")
    _spec = importlib.util.spec_from_file_location("browsing", Path(__file__).with_name("browsing.py"))
    sys.modules["browsing"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["browsing"])

import browsing


@pytest.fixture(scope="module")
def chromium():
    """One browser a module; not one a session, since Playwright's event loop would run on under all later tests."""
    if browsing.find_browser() is None:
        pytest.skip("no Chromium or Chrome found: install one, or set CHROMIUM=/path/to/it")
    with browsing.chromium() as browser:
        yield browser


@pytest.fixture
def watched(chromium) -> Iterator[browsing.Watched]:
    """A page that may fetch nothing; the test fails if it tried, or if anything was thrown or logged as an error."""
    with browsing.watched_page(chromium) as seen:
        yield seen
        seen.assert_clean()


@pytest.fixture
def mount(watched) -> Callable[..., browsing.Mounted]:
    """`mount(view, views=1, dark=False)`: the view's own module and CSS in a page, joined to the Python object."""

    def go(view, views: int = 1, dark: bool = False) -> browsing.Mounted:
        return browsing.Mounted(watched.page, view, views, dark)

    return go


@pytest.fixture(scope="session")
def picture() -> Callable[..., None]:
    """`picture(locator, *names)`: keeps how it looks in build/screenshots/…/name.png, for eyes and for later."""
    home = Path(__file__).parents[2] / "build" / "screenshots"

    def take(shown, *names: str) -> None:
        for frame in shown.locator("iframe").all():  # bertviz draws a moment later
            frame.content_frame.locator("svg line").first.wait_for(state="attached")
        shown.screenshot(path=home.joinpath(*names).with_suffix(".png"))

    return take


@pytest.fixture
def violations() -> Callable[..., list[str]]:
    """`violations(page, within)`: every element that breaks a rule of axe-core, with the rule and what mends it.

    What is drawn in a frame of ours is looked at as well.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core: pip install -e .[test]")

    def look(page, within: str | None = None) -> list[str]:
        frames = [frame for frame in page.frames if frame.parent_frame and "sandbox" in _tag(frame)]
        broken = axe.Axe().run(page, within).response["violations"]
        broken += [rule for frame in frames for rule in axe.Axe().run(frame, "#bertviz").response["violations"]]
        return [f"{rule['id']}: {one['html']} {one['failureSummary']}" for rule in broken for one in rule["nodes"]]

    def _tag(frame) -> str:
        return frame.frame_element().evaluate("node => node.outerHTML.slice(0, 200)")

    return look


@pytest.fixture(scope="session")
def lab(tmp_path_factory) -> Iterator[browsing.Server]:
    """A JupyterLab on loopback, shared by all tests; each opens its own notebook with its own kernel."""
    with browsing.jupyter_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="session")
def classic(tmp_path_factory, older_widgets) -> Iterator[browsing.Server]:
    """The classic notebook with Colab's ipywidgets and anywidget, in the page and in the kernel."""
    with browsing.classic_notebook(tmp_path_factory.mktemp("classic"), older_widgets) as running:
        yield running


@pytest.fixture
def run_nb(lab, chromium, request) -> Iterator[Callable[..., object]]:
    """`run_nb([cell, …])`: the page with the notebook executed; fails on any error and on any request that leaves."""
    with browsing.watched_page(chromium, lab.base) as seen:
        name = request.node.name.replace("[", "_").replace("]", "")
        yield lambda cells, timeout_s=300: browsing.run_cells(seen.page, lab, cells, name, timeout_s)
        seen.assert_clean()


@pytest.fixture
def latency() -> Callable[..., dict[str, list[float]]]:
    """`latency(page, act, milestones, n)`: milliseconds from a key press or click to each painted milestone."""
    return browsing.latency
