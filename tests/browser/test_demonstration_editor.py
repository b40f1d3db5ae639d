"""The editor in a real Chromium: a click flips a label and repaints, keys reach everything, text stays text."""

import pytest

from xllm_widgets.widgets.demonstration_editor import DemonstrationEditor

pytestmark = pytest.mark.browser

HOSTILE = "<script>window.PWNED=1</script> </style> <img src=x onerror=window.PWNED=1> 日本 مرحبا"
SHOWN = [{"text": "The film was great.", "label": "positive"}, {"text": HOSTILE, "label": "negative"}]


@pytest.fixture
def view():
    """An editor whose answer leans to how many labels say positive; every third piece gets a score."""
    made = DemonstrationEditor(SHOWN, "A bright song.", neutral={"great": "long"})

    def answer(editor, request, stage, part):
        if stage == "probabilities":
            share = (1 + sum(card["label"] == "positive" for card in editor.demonstrations)) / 4
            editor.answer_probabilities(request, [share, 1 - share])
        else:
            scores = {piece.id: piece.id - 5.0 for piece in editor.pieces if piece.id % 3 == 0}
            editor.answer_saliency(request, stage, scores, stage == "fine")

    made.on_ask(answer)
    return made


def settled(page, request):
    page.wait_for_selector(f'.xw-de-bars[data-saliency="{request} fine done"]')


def numbers(page):
    return page.locator(".xw-de-number").all_text_contents()


def test_it_asks_stage_by_stage_and_paints(mount, view):
    page = mount(view).page
    settled(page, 0)
    assert numbers(page) == ["50 %", "50 %"]
    grounds = page.locator(".xw-de-word").evaluate_all("all => all.map(node => node.style.background)")
    assert any("--xw-toward" in ground for ground in grounds)
    assert any("--xw-away" in ground for ground in grounds)


def test_a_click_flips_a_label_and_the_answer_follows(mount, view):
    page = mount(view).page
    settled(page, 0)
    page.locator(".xw-de-label").nth(1).click()
    settled(page, 1)
    assert view.demonstrations[1]["label"] == "positive"
    assert "flipped" in page.locator(".xw-de-label").nth(1).text_content()
    assert numbers(page) == ["75 %", "25 %"]
    page.get_by_role("button", name="undo").click()
    settled(page, 2)
    assert numbers(page) == ["50 %", "50 %"]


def test_a_flip_makes_its_own_card_anew_and_no_other(mount, view):
    page = mount(view).page
    settled(page, 0)
    page.evaluate("document.querySelectorAll('.xw-de-card').forEach((card) => { card.old = true; })")
    page.locator(".xw-de-label").nth(1).click()
    settled(page, 1)
    assert page.locator(".xw-de-card").evaluate_all("all => all.map((card) => card.old ?? false)") == [True, False]


def test_an_edit_that_changes_nothing_gives_the_colours_back(mount, view):
    page = mount(view).page
    settled(page, 0)
    grounds = "all => all.map((node) => node.style.background)"
    before = page.locator(".xw-de-word").evaluate_all(grounds)
    command = page.evaluate("""() => {
      const call = [...document.querySelectorAll('button')].find((button) => button.textContent === 'undo');
      call.click();
      return [...document.querySelectorAll('.xw-de-word')].map((node) => node.style.background);
    }""")
    assert set(command) == {"transparent"}, "while the kernel computes, the old colours must not stand"
    page.wait_for_function("before => JSON.stringify([...document.querySelectorAll('.xw-de-word')].map("
                           "(node) => node.style.background)) === JSON.stringify(before)", arg=before)  # fmt: skip


def test_text_is_edited_in_place_and_stays_text(mount, view):
    page = mount(view).page
    settled(page, 0)
    assert page.evaluate("window.PWNED") is None
    assert page.locator(".xw-de-card img, .xw-de-card script").count() == 0
    page.get_by_role("button", name="edit the text (demonstration 1)").click()
    page.keyboard.type("Neu & <b>fett</b>")
    page.keyboard.press("Enter")
    settled(page, 1)
    assert view.demonstrations[0]["text"] == "Neu & <b>fett</b>"
    assert page.locator(".xw-de-card b").count() == 0
    page.get_by_role("button", name="edit the text to be judged").click()
    page.keyboard.type("gone")
    page.keyboard.press("Escape")
    assert view.query == "A bright song."


def test_a_word_is_read_out_and_neutralised(mount, view):
    page = mount(view).page
    settled(page, 0)
    page.locator(".xw-de-word", has_text="great").click()
    assert "great" in page.locator(".xw-de-readout").text_content()
    page.get_by_role("button", name="neutralise this word").click()
    settled(page, 1)
    assert view.demonstrations[0]["text"] == "The film was long."


def test_keys_reach_every_word_and_undo(mount, view):
    page = mount(view).page
    settled(page, 0)
    page.locator(".xw-de-text .xw-de-word").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "film"
    page.get_by_role("button", name="flip all labels").click()
    settled(page, 1)
    page.keyboard.press("Control+z")
    settled(page, 2)
    assert [card["label"] for card in view.demonstrations] == ["positive", "negative"]


def test_an_answer_to_an_earlier_prompt_is_not_painted(mount, view):
    mounted = mount(view)
    page = mounted.page
    settled(page, 0)
    view.on_ask(lambda *_: None)
    view.flip(0)
    mounted.push()
    page.wait_for_selector('.xw-demonstration-editor[data-request="1"]')
    page.wait_for_selector(".xw-demonstration-editor.xw-de-stale")
    coloured = "all => all.filter(node => /toward|away/.test(node.style.background)).length"
    assert page.locator(".xw-de-word").evaluate_all(coloured) == 0


def test_errors_stand_under_the_editor_in_words(mount, view):
    page = mount(view).page
    settled(page, 0)

    def fail(*_):
        raise ValueError("no such luck")

    view.on_ask(fail)
    page.get_by_role("button", name="shuffle", exact=True).click()
    page.locator('[role="alert"]', has_text="no such luck").wait_for()
    assert numbers(page) == ["50 %", "50 %"]  # the last good picture stands


def test_two_views_of_one_editor_agree(mount, view):
    page = mount(view, views=2).page
    settled(page, 0)
    page.locator(".xw-de-label").first.click()
    page.wait_for_function("document.querySelectorAll('.xw-de-bars[data-request=\"1\"]').length === 2")
    assert numbers(page) == ["25 %", "75 %"] * 2


def test_everything_focusable_keeps_its_keys_from_jupyter(mount, view):
    page = mount(view).page
    settled(page, 0)
    bare = "all => all.filter(node => !node.hasAttribute('data-lm-suppress-shortcuts')).length"
    assert page.locator(".xw-view :is(button, input, [tabindex])").evaluate_all(bare) == 0
    unnamed = "all => all.filter(node => !(node.textContent.trim() || node.getAttribute('aria-label'))).length"
    assert page.locator(".xw-view :is(button, input)").evaluate_all(unnamed) == 0
