"""What every view must do, whatever it shows: keys kept from Jupyter, nothing left behind, no network needed."""

import pytest
from every_view import VIEWS

import xllm_widgets.widgets as widgets

pytestmark = pytest.mark.browser

CODE = "import xllm_widgets as xw\n\nxw.lab('<b>')"
OPEN = "all => all.forEach((opener) => opener.click())"
# What Tab should reach: each control, and one of those among which arrows go on, known by their having no Tab stop.
_PLACE = """const controls = ".xw-view :is(button, input, textarea, select, [role][tabindex])";
  const all = [...document.querySelectorAll(controls)];
  const home = (node) => node.parentElement.closest("[role=radiogroup], [role=grid], [role=listbox], .xw-view");
  const alike = (a, b) => home(a) === home(b) && a.role === b.role && a.classList[0] === b.classList[0];
  const place = (node) => {
    const like = all.filter((other) => alike(node, other));
    return all.indexOf(like.some((other) => other.tabIndex < 0) ? like[0] : node);
  };
  const told = (node) => `${place(node)} ${all[place(node)].outerHTML}`;"""
AT = f"() => {{ {_PLACE} return all.includes(document.activeElement) ? told(document.activeElement) : ''; }}"
ALL = f"() => {{ {_PLACE} return all.filter((node) => !node.disabled && node.checkVisibility()).map(told); }}"
FOCUSABLE = "button, input, textarea, select, a[href], [tabindex]"


@pytest.fixture(params=list(VIEWS))
def name(request) -> str:
    return request.param


@pytest.fixture
def view(name):
    return VIEWS[name]()


def test_no_view_is_left_out() -> None:
    assert {type(make()).__name__ for make in VIEWS.values()} == set(widgets.__all__)


def test_keys_are_kept_from_jupyter_and_cleanup_leaves_nothing(mount, view) -> None:
    view.code = CODE
    mounted = mount(view)
    mounted.root.locator("[aria-expanded='false']").evaluate_all(OPEN)
    bare = mounted.root.locator(f":is({FOCUSABLE}):not([data-lm-suppress-shortcuts])")
    assert bare.evaluate_all("all => all.map((node) => node.outerHTML)") == []
    assert mounted.root.locator(f":is({FOCUSABLE})").count() > 0
    nameless = "all => all.filter((n) => !n.textContent && !n.ariaLabel && !n.labels?.length).map((n) => n.outerHTML)"
    assert mounted.root.locator(":is(button, input)").evaluate_all(nameless) == []
    assert mounted.unmount() == 0
    assert mounted.page.locator(".xw-view").count() == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_view_breaks_no_rule_of_accessibility(mount, violations, picture, name, view, dark) -> None:
    """By axe-core: roles and states, names, and contrast; with every part opened that can be."""
    mounted = mount(view, dark=dark)
    picture(mounted.root, "every_view_dark" if dark else "every_view_light", name)
    view.code, view.cost = CODE, "0.08 s"
    mounted.push()
    mounted.root.locator("[aria-expanded='false']").evaluate_all(OPEN)
    assert violations(mounted.page, ".xw-view") == []


def test_code_and_cost_stand_below_every_view_once_they_are_known(mount, view) -> None:
    mounted = mount(view)
    root, page = mounted.root, mounted.page
    assert not root.locator(".xw-foot").is_visible()
    view.code, view.cost = CODE, "0.08 s"
    mounted.push()
    assert root.locator("> *").last.inner_text().split("\n") == ["show me the code", "0.08 s"]
    root.get_by_role("button", name="show me the code").focus()
    page.keyboard.press("Enter")
    assert root.locator(".xw-code").inner_text() == CODE
    root.get_by_role("button", name="copy").focus()
    page.keyboard.press("Enter")  # a pointer could miss: bertviz draws a moment later, and what is below moves down
    assert page.evaluate("getSelection().toString()") == CODE


def test_an_error_while_drawing_is_said_where_the_view_would_stand(mount, watched, view) -> None:
    view._esm = str(view._esm).replace("const keep = xw.listeners();", "throw new TypeError('a <b>broken</b> view');")
    said = mount(view).root.get_by_role("alert")
    assert "TypeError: a <b>broken</b> view" in said.inner_text()
    assert "Run the cell again" in said.inner_text()
    assert [error.splitlines()[0] for error in watched.errors] == ["TypeError: a <b>broken</b> view"]
    watched.errors.clear()


def test_an_error_after_a_change_is_said_and_the_rest_stays(mount, watched) -> None:
    mounted = mount(VIEWS["token_heatmap"]())
    mounted.page.evaluate("bench.receive({ limits: null, version: 99 })")
    said = mounted.root.get_by_role("alert")
    said.wait_for()
    assert "TypeError" in said.inner_text()
    assert mounted.root.locator(".xw-token").count() == 2
    assert len(watched.errors) == 1
    watched.errors.clear()


def test_tab_alone_reaches_everything_that_can_be_pressed(mount, view) -> None:
    """One stop at least for every group within which arrows go on; every other control is a stop itself."""
    mounted = mount(view)
    mounted.root.locator("[aria-expanded='false']").evaluate_all(OPEN)
    wanted, reached = set(mounted.page.evaluate(ALL)), set[str]()
    assert wanted
    for _ in range(200):  # all round the largest view, the stops inside bertviz's frame included
        if wanted <= reached:
            break
        mounted.page.keyboard.press("Tab")
        reached.add(mounted.page.evaluate(AT))
    assert wanted - reached == set()


def test_every_view_works_from_a_file_without_network_or_kernel(chromium, tmp_path) -> None:
    from browsing import watched_page

    from xllm_widgets.widgets import static_page

    page = tmp_path / "views.html"
    page.write_text(static_page.page([make() for make in VIEWS.values()]), encoding="utf-8")
    with watched_page(chromium) as seen:
        seen.page.context.set_offline(True)
        seen.page.goto(page.as_uri())
        seen.page.wait_for_selector(f".xw-view >> nth={len(VIEWS) - 1}", state="attached")
        seen.page.locator(".xw-token").nth(1).click()
        assert seen.page.locator(".xw-token").nth(1).get_attribute("aria-selected") == "true"
        seen.page.get_by_role("radio", name="other", exact=True).click()
        assert seen.page.get_by_role("radio", name="other", exact=True).get_attribute("aria-checked") == "true"
        seen.assert_clean()
