"""Every view in every place that can be had here: drawn, heard by Python, accessible, kept in the saved file.

The classic notebook stands for Colab's versions, ipywidgets 7 in the page and in the kernel; not for Colab's own page.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import browsing
import pytest
from every_view import VIEWS
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

SETUP = """import sys
sys.path.append({tests!r})
import ipywidgets
from every_view import VIEWS
assert ipywidgets.__version__.startswith({widgets!r}), ipywidgets.__version__
views = {{name: make() for name, make in VIEWS.items()}}
views["corpus_browser"].on_search(lambda *asked: None)  # it takes the next question once this one is answered
heard = ipywidgets.Label("nothing yet")
heard.add_class("heard")
def tell(name, trait):
    views[name].observe(lambda change: setattr(heard, "value", f"{{name}}.{{trait}} = {{change['new']!r}}"), trait)
heard"""


@dataclass(frozen=True)
class Place:
    """A front end, the fixture that serves it, and the ipywidgets of its kernels."""

    front: browsing.FrontEnd
    server: str = "lab"
    widgets: str = "8."


PLACES = {
    "lab": Place(browsing.LAB),
    "notebook": Place(browsing.NOTEBOOK),
    "ipywidgets7": Place(browsing.CLASSIC, "classic", "7.7.1"),
    "voila": Place(browsing.VOILA),
}
KEEPING = ["lab", "notebook", "ipywidgets7"]  # Voilà shows a notebook and never writes it


@dataclass(frozen=True)
class Moves:
    """A click and what Python then has in a trait; a key where the focus is put, and what Python has after that."""

    trait: str
    click: str
    clicked: str
    focus: str
    key: str
    pressed: str


# Every view that has anything to tell: claim cards and bertviz's have nothing, the second prediction card nothing new.
MOVES = {
    "token_heatmap": Moves("selected", ".xw-token >> nth=1", "1", ".xw-token >> nth=1", "Enter", "-1"),
    "demonstration_editor": Moves(
        "demonstrations", ".xw-de-label", "'label': 'negative'", ".xw-de-label", "Enter", "'label': 'positive'"
    ),
    "prediction_card": Moves(
        "prediction", "role=radio[name='other']", "'other'", "role=radio[name='other']", "ArrowUp", "'one'"
    ),
    "layer_token_lens": Moves("selected", ".xw-ll-cell >> nth=0", "[1, 0]", ".xw-ll-cell >> nth=0", "Enter", "[]"),
    "reasoning_editor": Moves(
        "command", "role=button[name='shuffle the steps']", "'shuffle'", "role=button[name='reset']", "Enter", "'reset'"
    ),
    "scatter_map": Moves("selected", "[data-i='0']", "[0]", "[data-i='0']", "Escape", "[]"),
    "steering_dial": Moves(
        "setting", "role=radio[name='reversed']", "'reversed'", ".xw-sd-slider", "ArrowRight", "'strength': 0.05"
    ),
    "corpus_browser": Moves("request", ".xw-cb-fact", "'text': 'sum:1'", "role=searchbox", "Enter", "'n': 2"),
    "model_diff": Moves("selected", ".xw-md-line .xw-md-token", "0", ".xw-md-line .xw-md-token", "Enter", "-1"),
    "reliability_diagram": Moves("selected", ".xw-rd-bin", "[0, 0]", ".xw-rd-bin", "Enter", "[-1, -1]"),
    "sample_clusters": Moves("selected", ".xw-sc-segment", "0", ".xw-sc-segment", "Enter", "-1"),
    "segment_attention": Moves("selected", ".xw-sa-cell >> nth=0", "[0, 0]", ".xw-sa-cell >> nth=0", "Enter", "[]"),
}


@dataclass(frozen=True)
class Opened:
    """The notebook of all views after it has run in a place."""

    place: Place
    server: browsing.Server
    seen: browsing.Watched
    name: str


@pytest.fixture(scope="module", params=list(PLACES))
def opened(request, chromium) -> Iterator[Opened]:
    place, name = PLACES[request.param], f"every_view_in_{request.param}"
    server = request.getfixturevalue(place.server)
    setup = SETUP.format(tests=str(Path(__file__).parents[1]), widgets=place.widgets)
    tell = "\n".join(f"tell({name!r}, {moves.trait!r})" for name, moves in MOVES.items())
    cells = [setup, tell, *(f"views[{name!r}]" for name in VIEWS)]
    with browsing.watched_page(chromium, server.base, place.front.tolerated) as seen:
        browsing.run_cells(seen.page, server, cells, name, place=place.front)
        yield Opened(place, server, seen, name)


@pytest.fixture
def page(opened) -> Iterator[Page]:
    """The page; no test may leave an error on it, nor a request elsewhere."""
    yield opened.seen.page
    opened.seen.assert_clean()


def test_every_view_is_drawn(page, opened, picture) -> None:
    kinds = [type(make()).__module__.rsplit(".")[-1].replace("_", "-") for make in VIEWS.values()]
    page.locator(".xw-view").nth(len(VIEWS) - 1).wait_for()
    for view, kind, name in zip(page.locator(".xw-view").all(), kinds, VIEWS, strict=True):
        assert f"xw-{kind}" in view.get_attribute("class").split()
        assert view.bounding_box()["height"] > 40, kind
        picture(view, opened.name, name)
    assert page.locator(".xw-error:visible").all_inner_texts() == []


def test_a_click_and_a_key_in_every_view_reach_python(page) -> None:
    def heard(name: str, value: str) -> None:
        said = page.locator(".heard", has_text=f"{name}.{MOVES[name].trait} = ")
        said.filter(has_text=value).wait_for()

    for name, moves in MOVES.items():
        view = page.locator(".xw-view").nth(list(VIEWS).index(name))
        view.scroll_into_view_if_needed()  # the classic page jumps when a view out of sight takes the focus
        view.locator(moves.click).first.click()
        heard(name, moves.clicked)
        view.locator(moves.focus).first.focus()
        page.keyboard.press(moves.key)
        heard(name, moves.pressed)


def test_no_view_breaks_a_rule_of_accessibility(page, violations) -> None:
    assert violations(page, ".xw-view") == []


@pytest.mark.parametrize("opened", KEEPING, indirect=True)
def test_the_saved_file_holds_picture_and_words(page, opened) -> None:
    kept = browsing.saved_notebook(page, opened.server, opened.name, opened.place.front)
    shown = [cell.outputs[0].data for cell in kept.cells if cell.source.startswith("views[")]
    assert len(shown) == len(VIEWS)
    for data in shown:
        assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
        assert len(data["text/plain"]) > 20


@pytest.mark.parametrize("opened", KEEPING, indirect=True)
def test_a_restarted_kernel_leaves_every_picture_and_each_says_so(page, opened) -> None:
    """The last test of a place: nothing is heard after it."""
    said = page.locator(".xw-kernel-gone")
    hidden = "all => all.map((line) => line.hidden)"
    assert said.evaluate_all(hidden) == [True] * len(VIEWS)
    tokens = page.locator(".xw-token").all_text_contents()
    for item in opened.place.front.restart:
        page.click(item)
    page.wait_for_function("() => [...document.querySelectorAll('.xw-kernel-gone')].every((line) => !line.hidden)")
    assert said.count() == len(VIEWS)
    assert all("Run the cell again" in line for line in said.all_text_contents())
    assert page.locator(".xw-token").all_text_contents() == tokens != []
