"""The editor in a real Chromium: buttons and keys change the steps, answers and curve follow, text stays text."""

import pytest

from xllm_widgets.widgets.reasoning_editor import ReasoningEditor

pytestmark = pytest.mark.browser

HOSTILE = "<script>window.PWNED=1</script> </style> <img src=x onerror=window.PWNED=1> 日本 مرحبا 3"
STEPS = ("7 + 5 = 12", HOSTILE, "9 + 1 = 10")


def interval(share):
    return {"share": share, "low": share / 2, "high": (1 + share) / 2}


@pytest.fixture
def view():
    """An editor whose answer is right once the first of the given steps stands among those kept."""
    made = ReasoningEditor("How many <b>apples</b>?", STEPS, "10")

    def right(texts):
        return float(STEPS[0] in texts)

    def answer(editor, request, stage, part):
        if stage == "answers":
            share = right(editor.texts)
            now = [{"answer": "10", **interval(share)}, {"answer": "11", **interval(1 - share)}]
            editor.answer_distribution(request, now, [{"answer": "10", **interval(1.0)}], n=20, at_once={"10": share})
            return
        last = len(editor.steps)
        points = [{"kept": k, **interval(right(editor.texts[:k]))} for k in [last, *range(last)][: part + 1]]
        decisive = next((k for k, text in enumerate(editor.texts) if text == STEPS[0]), None)
        editor.answer_curve(request, points, n=20, done=part == last, decisive=decisive)

    made.on_ask(answer)
    return made


def settled(page, request):
    page.wait_for_function(
        "end => (document.querySelector('.xw-re-curve').dataset.curve || '').match(end)",
        arg=f"^{request} \\d+ done$",
    )


def shares(page):
    return page.locator(".xw-re-share").all_text_contents()


def texts(page):
    return page.locator(".xw-re-text").all_text_contents()


def focused(page):
    return page.evaluate("document.activeElement.textContent")


def test_it_asks_point_by_point_and_marks_the_step_that_decides(mount, view):
    page = mount(view).page
    settled(page, 0)
    assert shares(page) == ["100 %", "0 %"]
    assert page.locator(".xw-re-spot").count() == 4
    assert page.locator(".xw-re-line.xw-re-toward").count() == 1
    assert page.locator(".xw-re-step").nth(0).locator(".xw-re-decides").is_visible()
    assert not page.locator(".xw-re-step").nth(1).locator(".xw-re-decides").is_visible()
    assert page.locator(".xw-re-plot").get_attribute("aria-label").endswith("3 kept 100 %")


def test_the_three_things_worth_trying(mount, view):
    page = mount(view).page
    settled(page, 0)
    page.get_by_role("button", name="falsify the decisive step").click()
    settled(page, 1)
    assert view.texts[0] == "7 + 5 = 13"
    assert shares(page) == ["0 %", "100 %"]
    assert page.locator(".xw-re-before").first.text_content() == "as given 100 %"
    assert "changed" in page.locator(".xw-re-step").first.text_content()
    assert page.locator(".xw-re-mark").first.get_attribute("title") == "given as 7 + 5 = 12"
    page.get_by_role("button", name="shuffle the steps").click()
    settled(page, 2)
    assert sorted(texts(page)) == sorted(view.texts)
    page.get_by_role("button", name="delete all steps").click()
    settled(page, 3)
    assert texts(page) == []
    assert "no steps" in page.locator(".xw-re-none").text_content()
    page.get_by_role("button", name="reset").click()
    settled(page, 4)
    assert texts(page) == list(STEPS)


def test_each_step_has_its_tools(mount, view):
    page = mount(view).page
    settled(page, 0)
    page.get_by_role("button", name="move down (step 1)").click()
    settled(page, 1)
    assert view.texts == (HOSTILE, STEPS[0], STEPS[2])
    page.get_by_role("button", name="cut off what follows (step 2)").click()
    settled(page, 2)
    page.get_by_role("button", name="delete (step 1)").click()
    settled(page, 3)
    page.get_by_role("button", name="make its result wrong (step 1)").click()
    settled(page, 4)
    assert view.texts == ("7 + 5 = 13",)
    assert page.get_by_role("button", name="move up (step 1)").is_disabled()


def test_a_step_is_edited_in_place_and_stays_text(mount, view):
    page = mount(view).page
    settled(page, 0)
    assert page.evaluate("window.PWNED") is None
    page.get_by_role("button", name="edit the words (step 3)").click()
    page.keyboard.type("9 + 1 = <b>11</b>")
    page.keyboard.press("Enter")
    settled(page, 1)
    assert view.texts[2] == "9 + 1 = <b>11</b>"
    page.get_by_role("button", name="add a step").click()
    page.keyboard.type("gone")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="add a step").click()
    page.keyboard.type("new <i>")
    page.keyboard.press("Enter")
    settled(page, 2)
    assert view.texts[3] == "new <i>"
    assert page.locator(".xw-view :is(b, i, img, script)").count() == 0


def test_everything_can_be_done_with_keys(mount, view):
    page = mount(view).page
    settled(page, 0)
    page.locator(".xw-re-text").first.focus()
    assert "after step 1" in page.locator(".xw-re-readout").text_content()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert focused(page) == STEPS[2]
    page.keyboard.press("Alt+ArrowUp")
    settled(page, 1)
    assert view.texts == (STEPS[0], STEPS[2], HOSTILE)
    assert focused(page) == STEPS[2]
    page.keyboard.press("Delete")
    settled(page, 2)
    assert view.texts == (STEPS[0], HOSTILE)
    assert focused(page) == HOSTILE
    page.keyboard.press("Control+z")
    settled(page, 3)
    assert view.texts == (STEPS[0], STEPS[2], HOSTILE)
    page.locator(".xw-re-text").first.focus()
    page.keyboard.press("Enter")
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    settled(page, 4)
    assert view.texts[0] == "1"
    assert focused(page) == "1"


def test_the_table_says_the_same_numbers(mount, view):
    page = mount(view).page
    settled(page, 0)
    page.get_by_role("button", name="table").click()
    told = page.locator(".xw-table").all_text_contents()
    assert "100 %" in told[0]
    assert "◆" in told[1]


def test_a_failure_is_said_and_the_last_good_picture_stands(mount, view):
    page = mount(view).page
    settled(page, 0)

    def fail(*_):
        raise ValueError("no such luck")

    view.on_ask(fail)
    page.get_by_role("button", name="shuffle the steps").click()
    page.locator('[role="alert"]', has_text="no such luck").wait_for()
    page.wait_for_selector(".xw-reasoning-editor.xw-re-stale")
    assert shares(page) == ["100 %", "0 %"]


def test_an_edit_that_is_refused_does_not_stop_the_curve(mount, view):
    page = mount(view).page
    page.get_by_role("button", name="falsify the decisive step").click()
    page.wait_for_function("document.querySelector('.xw-re-curve').dataset.curve.endsWith('done')")


def test_two_views_of_one_editor_agree(mount, view):
    page = mount(view, views=2).page
    settled(page, 0)
    page.get_by_role("button", name="delete all steps").first.click()
    page.wait_for_function("document.querySelectorAll('.xw-re-none').length === 2")
    page.wait_for_function("document.querySelectorAll('.xw-re-bars[data-request=\"1\"]').length === 2")
    assert shares(page) == ["0 %", "100 %"] * 2


def test_keys_are_kept_from_jupyter_and_cleanup_leaves_nothing(mount, view):
    mounted = mount(view)
    page = mounted.page
    settled(page, 0)
    page.get_by_role("button", name="table").click()
    bare = "all => all.filter(node => !node.hasAttribute('data-lm-suppress-shortcuts')).length"
    assert page.locator(".xw-view :is(button, input, [tabindex])").evaluate_all(bare) == 0
    unnamed = "all => all.filter(node => !(node.textContent.trim() || node.getAttribute('aria-label'))).length"
    assert page.locator(".xw-view :is(button, input)").evaluate_all(unnamed) == 0
    assert mounted.unmount() == 0


def test_a_saved_page_shows_everything_and_offers_nothing(chromium, view, tmp_path):
    from browsing import watched_page

    path = tmp_path / "steps.html"
    view.refresh().to_html(path)
    with watched_page(chromium) as seen:
        seen.page.context.set_offline(True)
        seen.page.goto(path.as_uri())
        settled(seen.page, 0)
        assert texts(seen.page) == list(STEPS)
        assert seen.page.locator(".xw-re-tool").count() == 0
        assert not seen.page.locator(".xw-re-things").is_visible()
        seen.assert_clean()
