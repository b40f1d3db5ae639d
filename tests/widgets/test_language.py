"""Two languages: every string that a component shows is in the catalogue, in both, and nothing else is shown."""

import ast
import re
from pathlib import Path

import pytest

import xllm_widgets as xw
from xllm_widgets import widgets
from xllm_widgets.widgets import language as speaking
from xllm_widgets.widgets import style

WIDGETS = Path(widgets.__file__).parent
LAB = WIDGETS.parent / "lab"
CLASSROOM = WIDGETS.parent / "classroom"
SPEAK_IN_CLASS = {"journal": ["journal_page", "journal"], "classroom": ["exercises"]}
CATALOGUE = speaking.catalogue()
VIEWS = sorted(path.stem for path in WIDGETS.glob("[a-z]*.js"))
TWINS = {"reasoning_twin": "reasoning_editor", "scatter_map_picture": "scatter_map",
         "steering_dial_picture": "steering_dial"}  # fmt: skip
NO_VIEW = {"language", "palette", "style", "static_page"}  # names of fonts and languages, CSS, markup
ENTRIES = [(part, key) for part, entries in CATALOGUE.items() for key in entries]


@pytest.fixture(autouse=True)
def english_again():
    yield
    xw.language("en")


def files(part: str) -> list[Path]:
    """The sources that speak from a part of the catalogue."""
    if part == "lab":
        return sorted(LAB.glob("*.py"))
    if part in SPEAK_IN_CLASS:
        return [CLASSROOM / f"{name}.py" for name in SPEAK_IN_CLASS[part]]
    twins = [WIDGETS / f"{twin}.py" for twin, of in TWINS.items() if of == part]
    return [WIDGETS / f"{part}.js", WIDGETS / f"{part}.py", *twins]


def forms(text: speaking.Text) -> list[str]:
    return [text] if isinstance(text, str) else list(text.values())


def named_places(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


# --- the catalogue ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("part", "key"), ENTRIES)
def test_both_languages_say_it_with_the_same_places(part: str, key: str) -> None:
    entry = CATALOGUE[part][key]
    assert set(entry) == set(speaking.NAMES)
    whole = [forms(text)[-1] for text in entry.values()]
    assert len({frozenset(named_places(text)) for text in whole}) == 1
    for text in entry.values():
        assert isinstance(text, str) or list(text) == ["one", "other"]
        assert all(named_places(form) <= named_places(whole[0]) for form in forms(text))


def test_every_part_belongs_to_something_that_speaks() -> None:
    assert set(CATALOGUE) == {"common", "glossary", "lab", "knobs", *SPEAK_IN_CLASS, *VIEWS}
    for name in widgets.__all__:
        assert getattr(widgets, name)._catalogue in VIEWS


def test_a_view_repeats_nothing_that_all_share() -> None:
    assert [(part, key) for part, key in ENTRIES if part != "common" and key in CATALOGUE["common"]] == []


def test_terms_are_called_the_same_everywhere() -> None:
    """Where the English of a string names a term of the glossary, its Chinese names the glossary's Chinese."""
    terms = [(re.sub(r" \(.*", "", row.English), re.sub("（.*", "", row.中文)) for row in xw.glossary().itertuples()]
    assert len(terms) > 40
    wrong = []
    for part, key in ENTRIES:
        english, chinese = (
            " ".join(forms(CATALOGUE[part][key][name])) for name in ("en", "zh")
        )  # fmt: skip
        english = re.sub(r"\{\w+\}", "", english)
        named = [(en, zh) for en, zh in terms if re.search(rf"\b{re.escape(en)}s?\b", english, re.IGNORECASE)]
        wrong += [(part, key, en, zh) for en, zh in named if zh not in chinese]
    assert wrong == []


# --- what the sources say ---------------------------------------------------------------------------------------------

STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`')
SAID_IN_JS = re.compile(r"\bt(?:\.parts)?\(([^(),]*)")  # the first argument, a key or a choice between keys
NAMED_IN_JS = re.compile(r'(?:"(?=\w+")|\("strings"\)\.)(\w+)')  # "key", or model.get("strings").key
TWO_WORDS = re.compile(r"[A-Za-z]{2,}[,;:.]? [A-Za-z]{2,}")
SHOWN_IN_JS = re.compile(
    r'(?:"aria-(?:label|valuetext)"[:,]\s*|\btitle:\s*|\b(?:textContent|placeholder|title) = |xw\.button\(|'
    r'xw\.disclosure\(|\.append\(|make\("\w+", \{[^{}]*\}, )(["`][^"`]*["`])'
)
NO_PHRASE = ("color-mix(", "<!doctype html>")  # CSS, and the empty page of bertviz's frame
NOT_SHOWN_IN_JS = {"not shown", "gap xw-rd-over"}  # a verdict as data has it, class names
NOT_SHOWN_IN_PYTHON = {
    "not shown", "DejaVu Sans", "const PALETTE = ", "offset points", "axes fraction", "row wrap", "read longitude",
    "read latitude", "read year", "statement end", "before the statement", "speaker word", "the capital of France",
    "Answer: east",
    "import xllm_widgets as xw\n", "from xllm_widgets.lab import ",  # Python is the same in every language
    # parts of sentences that say what is wrong
    "it has ", "did you mean ", "choose one of ", "The outcome",
    "No step moves the answer beyond doubt", "The decisive step is not known yet",
}  # fmt: skip


def javascript(name: str) -> str:
    """A view's source without its comments."""
    source = re.sub(r"/\*.*?\*/", "", WIDGETS.joinpath(f"{name}.js").read_text("utf-8"), flags=re.DOTALL)
    return re.sub(r"(?m)(?:^|\s)//.*$", "", source)


def literals(source: str) -> list[str]:
    """Strings of JavaScript, what is put into a template left out."""
    return [quoted or re.sub(r"\$\{[^{}]*\}", "", template) for quoted, template in STRING.findall(source)]


def constants(file: Path) -> list[str]:
    """Strings of a Python file, without its documentation and without what it raises."""
    tree, silent = ast.parse(file.read_text("utf-8")), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(id(node.value))
        if isinstance(node, ast.Raise):
            silent |= {id(inside) for inside in ast.walk(node)}
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in silent]
    return [node.value for node in found if isinstance(node.value, str)]


def keys_said(file: Path) -> set[str]:
    """The keys with which a source asks for a string: `t("key")`, `say("key" if … else "other key")`."""
    if file.suffix == ".js":
        return {key for first in SAID_IN_JS.findall(javascript(file.stem)) for key in re.findall(r'"(\w+)"', first)}
    calls = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call) and node.args]
    said = [call.args[0] for call in calls if _speaks(call.func)]
    choices = [[arg.body, arg.orelse] if isinstance(arg, ast.IfExp) else [arg] for arg in said]
    return {str(one.value) for choice in choices for one in choice if isinstance(one, ast.Constant)}


def _speaks(called: ast.expr) -> bool:
    return "say" in (getattr(called, "id", ""), getattr(called, "attr", "")) or (
        isinstance(called, ast.Call) and getattr(called.func, "id", "") == "speech"
    )


@pytest.mark.parametrize("part", [*VIEWS, "lab", *SPEAK_IN_CLASS])
def test_every_string_asked_for_is_there(part: str) -> None:
    asked = set().union(*map(keys_said, files(part)))
    assert len(asked) > 5
    assert asked - set(CATALOGUE[part]) - set(CATALOGUE["common"]) == set()


@pytest.mark.parametrize("part", [*VIEWS, "lab", *SPEAK_IN_CLASS, "common", "glossary"])
def test_every_string_there_is_asked_for(part: str) -> None:
    sources = {"common": [*WIDGETS.glob("*.js"), *WIDGETS.glob("*.py")], "glossary": [WIDGETS / "language.py"]}
    named: set[str] = set()
    for file in sources.get(part) or files(part):
        js = file.suffix == ".js"
        named |= set(NAMED_IN_JS.findall(javascript(file.stem)) if js else constants(file))
    assert set(CATALOGUE[part]) - named == set()


@pytest.mark.parametrize("name", [*VIEWS, "_common"])
def test_no_view_has_words_of_its_own(name: str) -> None:
    source = javascript(name)
    phrases = [text for text in literals(source) if TWO_WORDS.search(text) and not text.startswith(NO_PHRASE)]
    classes = [text for text in phrases if all(word.startswith("xw-") for word in text.split())]
    assert set(phrases) - set(classes) <= NOT_SHOWN_IN_JS
    shown = [text for found in SHOWN_IN_JS.findall(source) for text in literals(found)]
    assert [text for text in shown if re.search(r"[A-Za-z]{3}", text)] == []


@pytest.mark.parametrize(
    "file",
    [*WIDGETS.glob("*.py"), *LAB.glob("*.py"), CLASSROOM / "exercises.py"],
    ids=lambda file: f"{file.parent.name}/{file.stem}",
)
def test_no_python_side_has_words_of_its_own(file: Path) -> None:
    if file.stem not in NO_VIEW:
        assert {text for text in constants(file) if TWO_WORDS.search(text)} <= NOT_SHOWN_IN_PYTHON


# --- the switch -------------------------------------------------------------------------------------------------------


def test_a_view_speaks_the_language_it_was_made_in() -> None:
    before = xw.TokenHeatmap(["a"], [1.0])
    assert xw.language() == "en"
    assert xw.language("zh") == xw.language() == "zh"
    after = xw.TokenHeatmap(["a"], [1.0])
    assert before.describe() == "Token heatmap: 1 tokens; strongest: 'a' +1."
    assert after.describe() == "词元热力图：共 1 个词元；最强的：'a' +1。"
    assert (before.toward, after.toward, after.strings["lang"]) == ("toward", "趋向", "zh-Hans")
    assert '<html lang="zh-Hans">' in after.to_html()
    assert "strings" not in after.to_dict()


def test_a_picture_of_empty_boxes_is_left_out(monkeypatch) -> None:
    monkeypatch.setattr(style, "fonts", lambda: ("DejaVu Sans",))
    style.can_draw.cache_clear()
    assert "image/png" in xw.TokenHeatmap(["a"], [1.0])._repr_mimebundle_()[0]
    xw.language("zh")
    data, meta = xw.TokenHeatmap(["a"], [1.0])._repr_mimebundle_()
    assert "image/png" not in {**data, **meta}
    assert data["text/plain"].startswith("词元热力图")
    style.can_draw.cache_clear()


def test_an_unknown_language_is_refused_with_the_choices() -> None:
    with pytest.raises(xw.XllmError) as refused:
        xw.language("fr")
    assert str(refused.value) == "There is no language 'fr'; choose one of 'en' (English), 'zh' (中文)."
    assert xw.language() == "en"


@pytest.mark.parametrize(
    ("n", "english", "chinese"),
    [(0, "0 answers", "0 个回答"), (1, "1 answer", "1 个回答"), ("1,200", "1,200 answers", "1,200 个回答")],
)
def test_one_and_many_read_well(n, english: str, chinese: str) -> None:
    said = [xw.language(name) and speaking.speech("sample_clusters")("answers", n=n) for name in ("en", "zh")]
    assert said == [english, chinese]


def test_what_stands_in_a_place_is_shown_as_it_is() -> None:
    assert speaking.speech("model_diff")("in_place", token="{n} <b>") == "in place of {n} <b>"


def test_the_glossary_explains_in_the_language_that_is_on() -> None:
    assert list(xw.glossary()) == ["English", "中文", "section", "meaning"]
    xw.language("zh")
    table = xw.glossary()
    assert list(table) == ["English", "中文", "章节", "含义"]
    assert table["English"].is_unique
    assert table["章节"].is_monotonic_increasing
    assert table["含义"].str.contains("[\u4e00-\u9fff]").all()
    assert dict(zip(table["English"], table["中文"], strict=True))["chain of thought"] == "思维链"
