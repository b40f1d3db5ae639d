"""Every view in Chinese: nothing that a reader sees or hears is English, whatever is opened."""

import re

import pytest

import xllm_widgets as xw
from xllm_widgets import widgets
from xllm_widgets.widgets import language, static_page

pytestmark = pytest.mark.browser

CLAIM = {
    "study": "研究", "section": "4.1.1", "paper": "论文", "model": "小", "statement": "它照着做。", "estimate": 0.9,
    "low": 0.8, "high": 0.95, "n": 500, "seeds": 1, "threshold": 0.85, "control": 0.5, "verdict": "shown",
}  # fmt: skip
OTHER = {**CLAIM, "model": "大", "verdict": "not shown", "control": None, "seeds": 3}
UNKNOWN = {**CLAIM, "statement": "又一条。", "verdict": "reversed", "estimate": None}
DOCUMENT = {"number": 7, "kind": "算术", "text": "一加一是二", "spans": [[0, 1]], "facts": ["和：一"]}
FOUND = {
    "text": "一", "by": "phrase", "occurrences": 2, "documents": 6, "read": 1000, "kinds": {"算术": 6}, "kind": "",
    "page": 0, "pages": 2,
}  # fmt: skip
RELIABILITY = {
    "n": 2, "confidence": 0.8, "accuracy": 0.5, "ece": 0.3, "brier": 0.34, "auroc": 0.6,
    "bins": [
        {"low": 0.0, "high": 0.5, "n": 0, "confidence": None, "accuracy": None, "interval": []},
        {"low": 0.5, "high": 1.0, "n": 2, "confidence": 0.8, "accuracy": 0.5, "interval": [0.1, 0.6]},
    ],
}  # fmt: skip
LENS = [
    {"name": "探针", "scores": [[1, -1], [0, float("nan")]]},
    {"name": "下一词", "scores": [[0.5, 0.1], [0.2, 1]], "kind": "sequential", "words": [["一", "二"], ["三", "四"]]},
]
POINTS = [
    {"name": "甲", "x": 2.4, "y": 48.9, "held_out": True, "group": "东", "target": (3, 50), "note": "注"},
    {"name": "乙", "x": -2.4, "y": -8.9, "group": "西"},
]
STEPS = [
    {"token": "<0xE6>", "logprobs": [None, None]},
    {"token": "你", "logprobs": [-1.0, -2.0], "top": [{"token": "你", "p": [0.4, 0.1]}]},
    {"token": "好", "logprobs": [-2.0, -0.5]},
]
ANSWERS = ("巴黎", "巴黎", "里昂", "南特", "第戎", "海边的马赛")
SAMPLES = [{"text": text, "logprob": -0.5, "cluster": len(text)} for text in ANSWERS]


def demonstration_editor() -> widgets.DemonstrationEditor:
    cards = [{"text": "很好。", "label": "好", "explanation": "因为好"}, {"text": "很差。", "label": "坏"}]
    fields = {"text": "评论", "label": "情感", "explanation": "理由"}
    view = widgets.DemonstrationEditor(cards, "不错。", ["好", "坏"], fields=fields, neutral={"不": "平"})
    view.flip(0)
    view.answer_probabilities(view.request, [0.7, 0.3])
    view.answer_saliency(view.request, "coarse", {1: 0.5, 2: -0.2}, done=False)
    return view


def reasoning_editor() -> widgets.ReasoningEditor:
    view = widgets.ReasoningEditor("几个？", ["一加一得 2", "再加一得 3"], "3")
    view.edit(0, "一加一得 4")
    rows = [{"answer": str(k), "share": 0.1, "low": 0.0, "high": 0.2} for k in range(10)]
    view.answer_distribution(view.request, rows, rows[:2], n=10, at_once={"3": 0.5})
    points = [{"kept": k, "share": k / 2, "low": 0.0, "high": 1.0} for k in range(3)]
    view.answer_curve(view.request, points, n=10, done=True, decisive=1)
    return view


def steering_dial() -> widgets.SteeringDial:
    view = widgets.SteeringDial(["诚实", "热情"], [1, 2], "真的吗", strength=0.5, direction="reversed", layers=[1, 2])
    view.answer_probabilities(0, ["是", "否"], [0.4, 0.6], [0.7, 0.3])
    view.answer_text(0, {"text": "是。", "perplexity": 8.0}, {"text": "否。", "perplexity": 12.0})
    return view


def scored() -> widgets.PredictionCard:
    card = widgets.PredictionCard("哪个？", ["一", "二"])
    card.predict("一", 0.8)
    card.score("二").explain("先验更强")
    return card


def unexplained() -> widgets.PredictionCard:
    card = scored()
    card.explain("")
    return card


VIEWS = {
    "token_heatmap": lambda: widgets.TokenHeatmap(["我", "<0xE6>"], [[1, float("nan")], [0, 2]], targets=["甲", "乙"]),
    "token_heatmap, surprise": lambda: widgets.TokenHeatmap(["我", "们"], [1, 2], kind="sequential"),
    "demonstration_editor": demonstration_editor,
    "demonstration_editor, waiting": lambda: widgets.DemonstrationEditor(
        [{"text": "好。", "label": "好"}], "嗯。", ["好", "坏"], fields={"text": "评论", "label": "情感"}
    ),
    "prediction_card": lambda: widgets.PredictionCard("哪个？", ["一", "二"]),
    "prediction_card, number": lambda: widgets.PredictionCard("多少？", low=0, high=1),
    "prediction_card, scored": unexplained,
    "prediction_card, explained": scored,
    "claim_cards": lambda: widgets.ClaimCards([CLAIM, OTHER, UNKNOWN]),
    "layer_token_lens": lambda: widgets.LayerTokenLens(["甲", "乙"], [0, 1], LENS, reading=1),
    "reasoning_editor": reasoning_editor,
    "reasoning_editor, waiting": lambda: widgets.ReasoningEditor("几个？", [], "2"),
    "scatter_map": lambda: widgets.ScatterMap(POINTS, turning=True, show_targets=True, graticule=10.0, selected=[1]),
    "steering_dial": steering_dial,
    "corpus_browser": lambda: widgets.CorpusBrowser([DOCUMENT], FOUND, examples=["二"]),
    "model_diff": lambda: widgets.ModelDiff(STEPS, [{"token": "吗", "p": [0.2, None]}], ["。", ""], selected=1),
    "reliability_diagram": lambda: widgets.ReliabilityDiagram({"小": RELIABILITY}),
    "sample_clusters": lambda: widgets.SampleClusters(SAMPLES, "哪里？", weigh="probability"),
    "bertviz_view": lambda: widgets.BertvizView(["我", "们"], [[[[1, 0], [0.25, 0.75]]]]),
    "bertviz_view, model": lambda: widgets.BertvizView(["我", "们"], [[[[1, 0], [0.25, 0.75]]]], kind="model"),
    "segment_attention": lambda: widgets.SegmentAttention(["一。", "二。"], [[[0.25, 0.75], [1, 0]]], selected=[0, 1]),
    "segment_attention, all heads": lambda: widgets.SegmentAttention(["一。", " "], [[[0.25, 0.75], [1, 0]]]),
}
SYMBOLS = {"ECE", "Brier", "AUROC", "ln"}  # the field's own, in any language
SHOWN = """(root) => {
  const names = ["aria-label", "aria-valuetext", "title", "placeholder"];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const texts = [root, ...root.querySelectorAll("*")].flatMap((node) => names.map((name) => node.getAttribute(name)));
  const code = (text) => text.parentNode.closest("code[translate=no]");
  while (walker.nextNode()) if (!code(walker.currentNode)) texts.push(walker.currentNode.data);
  return texts.filter(Boolean);
}"""


@pytest.fixture(autouse=True)
def chinese():
    xw.language("zh")
    yield
    xw.language("en")


def foreign(texts: list[str], part: str) -> list[str]:
    """What holds a Latin word that is neither a symbol nor in the Chinese catalogue: an English string would."""
    forms = [text for text in language.strings(part).values() if isinstance(text, str)]
    known = SYMBOLS | set(re.findall(r"[A-Za-z]{2,}", re.sub(r"\{\w+\}", " ", " ".join(forms))))
    return [text for text in texts if set(re.findall(r"[A-Za-z]{2,}", text)) - known]


@pytest.mark.parametrize("name", VIEWS)
def test_nothing_on_a_view_is_english(mount, name) -> None:
    view = VIEWS[name]()
    view.code, view.cost = "import xllm_widgets", "0.08 秒"  # Python is Python, whatever is spoken around it
    mounted = mount(view)
    assert mounted.root.get_attribute("lang") == "zh-Hans"
    mounted.root.locator("[aria-expanded='false']").evaluate_all("all => all.forEach((opener) => opener.click())")
    options = mounted.root.locator(":is([role='option'], [role='gridcell'], .xw-de-word, .xw-re-text)")
    if options.count():
        options.last.focus()
    part = view._catalogue
    assert foreign(mounted.root.evaluate(SHOWN), part) == []
    assert foreign([view.describe()], part) == []


def test_every_view_is_among_them() -> None:
    shown = {make()._catalogue for make in VIEWS.values()}
    assert shown == {getattr(widgets, name)._catalogue for name in widgets.__all__}


def test_the_check_itself_sees_english(mount) -> None:
    xw.language("en")
    mounted = mount(VIEWS["scatter_map"]())
    xw.language("zh")
    assert len(foreign(mounted.root.evaluate(SHOWN), "scatter_map")) > 10
    assert mounted.root.get_attribute("lang") == "en", "a view that is there already stays as it is"


def test_a_saved_page_is_chinese_without_a_kernel(chromium, tmp_path) -> None:
    from browsing import watched_page

    made = [make() for make in VIEWS.values()]
    page = tmp_path / "views.html"
    page.write_text(static_page.page(made), encoding="utf-8")
    with watched_page(chromium) as seen:
        seen.page.goto(page.as_uri())
        seen.page.wait_for_selector(f".xw-view >> nth={len(made) - 1}", state="attached")
        assert seen.page.locator("html").get_attribute("lang") == "zh-Hans"
        for view, root in zip(made, seen.page.locator(".xw-view").all(), strict=True):
            assert foreign(root.evaluate(SHOWN), view._catalogue) == []
        seen.assert_clean()
