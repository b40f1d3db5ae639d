"""What every view shares: arguments refused with advice, picture and words beside the widget, safe sources."""

import base64
import re
from pathlib import Path

import pytest
from every_view import VIEWS as EVERY_VIEW

import xllm_widgets.widgets as views
from xllm_widgets.errors import XllmError
from xllm_widgets.widgets.base import UnknownArgument

FOLDER = Path(views.__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("[a-z]*.js"))
VIEWS = {type(make()).__name__: make for make in EVERY_VIEW.values()}


def test_every_view_is_exported_and_has_its_three_files() -> None:
    assert sorted(VIEWS) == sorted(views.__all__)
    assert len(NAMES) == len(VIEWS)
    for name in NAMES:
        assert FOLDER.joinpath(f"{name}.py").is_file()
        assert FOLDER.joinpath(f"{name}.css").is_file()


@pytest.mark.parametrize("name", VIEWS)
def test_a_saved_notebook_holds_picture_and_words(name) -> None:
    view = VIEWS[name]()
    data, meta = view._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert data["text/plain"] == view.describe() == meta["image/png"]["alt"]
    assert len(view.describe()) > 20
    assert view._ipython_display_ is None, "ipywidgets 7 would show the widget without the picture"


@pytest.mark.parametrize("name", VIEWS)
def test_an_unknown_argument_is_refused_with_advice(name) -> None:
    kind = getattr(views, name)
    with pytest.raises(UnknownArgument, match=rf"{name} has no argument 'colour'; it has .*"):
        kind(colour="red")
    assert issubclass(UnknownArgument, XllmError)


def test_a_misspelt_argument_is_recognised() -> None:
    with pytest.raises(UnknownArgument, match="did you mean 'title'"):
        views.TokenHeatmap(["a"], [1], titel="x")


@pytest.mark.parametrize("name", VIEWS)
def test_the_static_page_cannot_be_ended_by_what_it_shows(name) -> None:
    view = VIEWS[name]()
    for trait in ("title", "question", "query", "prompt"):
        if view.has_trait(trait):
            setattr(view, trait, "</script><img src=x onerror=alert(1)>")
    page = view.to_html()
    assert "<img" not in page
    assert "Content-Security-Policy" in page
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)


def test_the_page_is_written_where_asked(tmp_path) -> None:
    page = VIEWS["TokenHeatmap"]().to_html(tmp_path / "page.html")
    assert tmp_path.joinpath("page.html").read_text("utf-8") == page


@pytest.mark.parametrize("name", [*NAMES, "_access", "_common", "_host"])
def test_scripts_fetch_nothing_and_write_no_markup(name) -> None:
    source = FOLDER.joinpath(f"{name}.js").read_text("utf-8")
    forbidden = ["http:", "https:", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch("]
    assert [word for word in forbidden if word in source] == []
    assert not re.search(r"^\s*import\s", source, re.MULTILINE)


@pytest.mark.parametrize("name", [*NAMES, "_common"])
def test_styles_touch_nothing_but_their_view(name) -> None:
    css = FOLDER.joinpath(f"{name}.css").read_text("utf-8")
    prefix = ".xw-view" if name == "_common" else f".xw-{name.replace('_', '-')}"
    css = re.sub(r"/\*.*?\*/", "", css)
    css = re.sub(r"@keyframes xw-[\w-]+\s*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", css)
    rules = re.findall(r"([^{}]+)\{[^{}]*\}", re.sub(r"@\w+[^{]*\{", "", css))
    selectors = [one.strip() for rule in rules for one in re.split(r",(?![^(]*\))", rule)]
    assert selectors
    assert [selector for selector in selectors if not selector.startswith(prefix)] == []
    assert "url(" not in css


def test_errors_inside_a_callback_are_said_in_the_view() -> None:
    view = VIEWS["TokenHeatmap"]()
    with view.errors_shown():
        raise XllmError("The prompt is empty: write a word.")
    assert view.error == "The prompt is empty: write a word."
    with view.errors_shown():
        raise ZeroDivisionError("division by zero")
    assert "could not be computed" in view.error
