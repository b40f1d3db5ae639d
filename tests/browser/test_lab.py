"""A real JupyterLab: what is clicked in a view reaches Python, nothing fails, nothing leaves the machine."""

import pytest

pytestmark = pytest.mark.browser

VIEWS = """from xllm_widgets.widgets import PredictionCard, TokenHeatmap
heat = TokenHeatmap(["The", " film", " was", " <b>bright</b>", "."], [0, .2, -.4, 1, .1], units="nats")
heat.on_select(lambda i: setattr(heat, "caption", f"Python heard {i}"))
heat"""
CARD = """card = PredictionCard("Which way?", ["stays", "flips"])
card.on_lock(lambda card: card.score("flips"))
card"""
EDITOR = """import xllm_widgets as xw
from xllm_widgets.lab import demonstration_lab
editor = demonstration_lab(xw.load("pebble-0.1m"), shots=4)
editor"""


def test_clicks_and_locks_reach_python(run_nb) -> None:
    page = run_nb([VIEWS, CARD])
    page.locator(".xw-token").nth(3).click()
    page.get_by_text("Python heard 3").wait_for()
    page.keyboard.press("ArrowLeft")  # Jupyter would move to another cell
    page.keyboard.press("Enter")
    page.get_by_text("Python heard 2").wait_for()
    page.get_by_role("radio", name="flips").click()
    page.get_by_role("button", name="Lock it").click()
    page.get_by_text("You were right").wait_for()


def test_a_label_flipped_by_click_changes_probabilities_and_picture(run_nb) -> None:
    page = run_nb([EDITOR])
    bars = page.locator(".xw-de-bars")
    page.locator(".xw-de-bars[data-saliency$='fine done']").wait_for()
    grounds = "all => all.map((node) => node.style.background)"
    widths = "all => all.map((node) => node.style.width)"  # to the last digit: this model hardly heeds its labels
    numbers, colours = (
        bars.locator(".xw-de-fill").evaluate_all(widths),
        page.locator(".xw-de-word").evaluate_all(grounds),
    )
    label = page.locator(".xw-de-label").first
    said = label.inner_text()
    label.click()
    page.locator(".xw-de-bars[data-saliency='1 fine done']").wait_for()
    assert label.inner_text() != said
    assert bars.locator(".xw-de-fill").evaluate_all(widths) != numbers
    assert page.locator(".xw-de-word").evaluate_all(grounds) != colours


MODEL = """import xllm_widgets as xw
from xllm_widgets.lab import lens_lab, map_lab, steering_lab
lm = xw.load("pebble-0.1m")
"""


def test_the_dial_answers_from_a_model(run_nb) -> None:
    page = run_nb([MODEL + "steering_lab(lm, strength=0.5, trials=8)"])
    page.locator(".xw-sd-texts[data-request='0']").wait_for()
    said = page.locator(".xw-sd-value").all_inner_texts()
    page.get_by_role("radio", name="reversed").click()
    page.locator(".xw-sd-texts[data-request='1']").wait_for()
    assert page.locator(".xw-sd-value").all_inner_texts() != said


def test_the_lens_and_the_map_show_what_was_read(run_nb) -> None:
    page = run_nb([MODEL + "display(lens_lab(lm, trials=8))\nmap_lab(lm, hidden=['Norway'], trials=356)"])
    page.locator(".xw-ll-grid").first.wait_for()
    page.get_by_text("chosen:").first.wait_for()


PANEL = """import xllm_widgets as xw
panel = xw.lab(xw.flipped_labels, xw.load("pebble-0.1m"), trials=10, draws=1)
panel"""


def test_the_panel_is_worked_by_keyboard_and_keeps_its_keys_from_jupyter(run_nb, violations) -> None:
    page = run_nb([PANEL])
    panel, cells = page.locator(".xw-panel"), page.locator(".jp-Notebook .jp-Cell")
    many = cells.count()
    run = panel.get_by_role("button", name="Run", exact=True)
    run.and_(page.locator("[data-lm-suppress-shortcuts]")).wait_for()
    assert violations(page, ".xw-panel") == []
    run.focus()
    for key in ("x", "d", "d", "a", "m"):  # cut, delete, a cell above, Markdown
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    panel.locator(".xw-cc-row").first.wait_for()
    assert cells.count() == many
    panel.get_by_role("img", name="section 4.1.1").wait_for()  # the picture in words
    control = panel.get_by_role("checkbox", name="show the null control")
    said = panel.locator(".xw-cc-numbers").last.inner_text()
    control.focus()
    page.keyboard.press("x")
    page.keyboard.press("Space")
    panel.locator(".xw-cc-numbers").last.get_by_text("no control").wait_for()
    assert "no control" not in said
    panel.get_by_role("button", name="show me the code").focus()
    page.keyboard.press("x")
    page.keyboard.press("Enter")
    assert "evidence = xw.flipped_labels(" in panel.locator(".xw-code").inner_text()
    assert cells.count() == many
    bare = panel.locator(":is(button, input, select, textarea, [tabindex='0']):not([data-lm-suppress-shortcuts])")
    assert bare.evaluate_all("all => all.map((node) => node.outerHTML)") == []
    assert violations(page, ".xw-panel") == []
