"""The exported journal in a real browser: nothing fetched or run, readable by everyone, light and dark."""

from pathlib import Path

import pytest
from browsing import watched_page

from xllm_widgets.classroom import Journal

pytestmark = pytest.mark.browser

CLAIM = {"statement": "It follows.", "estimate": 0.9, "low": 0.8, "high": 0.95, "verdict": "shown"}


@pytest.fixture
def page(tmp_path: Path) -> Path:
    ada = Journal("Ada", tmp_path)
    ada.add("prediction", card="1", question="Which kind of token?", prediction="label", confidence=0.8)
    ada.add("outcome", card="1", outcome="label", correct=True)
    ada.add("explanation", card="1", question="Which kind of token?", text="<script>alert(1)</script> It copies.")
    ada.add("run", study="flipped_labels", model="pebble-1m", knobs={"shots": 8}, claims=[CLAIM])
    ada.add("exercise", exercise="00-count", right=False, misconception="only documents matter", hints=2)
    ada.note("你好")
    return ada.export_html(tmp_path / "page.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_breaks_no_rule_of_accessibility_and_runs_nothing(chromium, violations, picture, page, scheme) -> None:
    with watched_page(chromium) as seen:
        seen.page.emulate_media(color_scheme=scheme)
        seen.page.goto(page.as_uri())
        predicted = seen.page.get_by_role("table", name="Predictions").get_by_role("row").last
        assert "<script>alert(1)</script> It copies." in predicted.inner_text()
        assert seen.page.get_by_role("table").count() == 5
        assert violations(seen.page) == []
        picture(seen.page.locator("main"), "journal", scheme)
        seen.assert_clean()
