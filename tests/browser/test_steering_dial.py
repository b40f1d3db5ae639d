"""The steering dial in a real browser."""

import pytest

from xllm_widgets.widgets.steering_dial import SteeringDial

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.owned=1>"


def answer(dial: SteeringDial, request: int, stage: str) -> None:
    push = dial.signed_strength
    if stage == "probabilities":
        dial.answer_probabilities(request, [" yes", HOSTILE], [0.5, 0.5], [0.5 + push / 4, 0.5 - push / 4])
    else:
        sides = ({"text": "So it is.", "perplexity": 10.0}, {"text": HOSTILE, "perplexity": 10 + 10 * abs(push)})
        dial.answer_text(request, *sides)


@pytest.fixture
def dial() -> SteeringDial:
    made = SteeringDial(["honesty", "warmth"], [1, 2, 3], "Is it true?", step=0.5)
    made.on_ask(answer)
    return made


def answered(mounted, request: int) -> None:
    mounted.page.wait_for_selector(f".xw-sd-texts[data-request='{request}']")
    mounted.settled()


def values(mounted) -> list[str]:
    return mounted.root.locator(".xw-sd-value").all_inner_texts()


def test_a_key_on_the_slider_moves_model_bars_texts_and_gauge(mount, dial) -> None:
    mounted = mount(dial)
    answered(mounted, 0)
    assert values(mounted) == ["50 % → 50 %", "50 % → 50 %"]
    slider = mounted.root.get_by_role("slider", name="strength in residual norms")
    slider.focus()
    mounted.page.keyboard.press("ArrowRight")
    answered(mounted, 1)
    assert dial.setting["strength"] == 0.5
    assert slider.get_attribute("aria-valuetext") == "+0.50 residual norms along honesty"
    assert values(mounted)[0] == "50 % → 62 %" or values(mounted)[0] == "50 % → 63 %"
    assert mounted.root.get_by_role("meter").get_attribute("aria-valuetext") == "perplexity × 1.50, strained"
    mounted.page.keyboard.press("0")
    answered(mounted, 2)
    assert (dial.setting["strength"], slider.input_value()) == (0.0, "0")


def test_the_slider_has_a_labelled_zero_in_its_middle(mount, dial) -> None:
    mounted = mount(dial)
    slider = mounted.root.locator(".xw-sd-slider").bounding_box()
    zero = mounted.root.get_by_text("0 unsteered").bounding_box()
    assert abs(slider["x"] + slider["width"] / 2 - zero["x"] - zero["width"] / 2) < 4


def test_reversed_and_random_are_one_click_away(mount, dial) -> None:
    dial.set(strength=1.0)
    mounted = mount(dial)
    answered(mounted, 1)
    mounted.root.get_by_role("radio", name="reversed").click()
    answered(mounted, 2)
    assert values(mounted)[0] == "50 % → 25 %"
    for seed in (0, 1):  # pressed again, another random direction
        mounted.root.get_by_role("radio", name="random control").click()
        answered(mounted, 3 + seed)
        assert (dial.setting["direction"], dial.setting["seed"]) == ("random", seed)


def test_layers_and_positions_are_chosen_by_key_and_click(mount, dial) -> None:
    mounted = mount(dial)
    answered(mounted, 0)
    mounted.root.get_by_role("button", name="layer 1", exact=True).focus()
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        mounted.page.keyboard.press(key)
    answered(mounted, 1)
    assert dial.setting["layers"] == [2, 3]
    mounted.root.get_by_role("button", name="token 3").click()
    answered(mounted, 2)
    assert dial.setting["positions"] == [2]
    mounted.root.get_by_role("button", name="layer 2", exact=True).click()
    mounted.settled()
    mounted.root.get_by_role("button", name="layer 3", exact=True).click()
    mounted.settled()
    assert "one layer or more" in mounted.root.get_by_role("alert").inner_text()


def test_a_new_prompt_and_hostile_text_stay_text(mount, dial) -> None:
    mounted = mount(dial)
    answered(mounted, 0)
    box = mounted.root.get_by_role("textbox", name="prompt")
    box.fill(f"Well {HOSTILE}")
    box.press("Enter")
    answered(mounted, 1)
    assert dial.setting["prompt"] == f"Well {HOSTILE}"
    assert mounted.root.locator(".xw-sd-text").last.inner_text() == HOSTILE
    assert mounted.root.locator("img").count() == 0
    assert mounted.page.evaluate("window.owned") is None


def test_two_moves_in_one_breath_are_both_obeyed_though_only_the_last_arrives(mount, dial) -> None:
    mounted = mount(dial)
    answered(mounted, 0)
    mounted.page.evaluate(
        """() => { const bench = window.bench, save = bench.model.save_changes;
        bench.model.save_changes = () => {};
        const click = (name) => document.querySelector(`[aria-label^="${name}"]`).click();
        click("reversed"); click("layer 1"); click("layer 3");
        bench.model.save_changes = save; bench.model.save_changes(); }"""
    )
    answered(mounted, 1)
    assert (dial.setting["direction"], dial.setting["layers"]) == ("reversed", [1, 2, 3])


def test_texts_wait_until_the_hand_rests(mount, dial) -> None:
    asked: list[str] = []
    dial.on_ask(lambda view, request, stage: (asked.append(stage), answer(view, request, stage)))
    mounted = mount(dial)
    answered(mounted, 0)
    asked.clear()
    mounted.page.evaluate(
        """() => { const slider = document.querySelector(".xw-sd-slider");
        for (const value of [0.5, 1, 1.5]) { slider.value = value; slider.dispatchEvent(new Event("input")); } }"""
    )
    mounted.page.wait_for_function("document.querySelector('.xw-sd-number').textContent.startsWith('+1.5')")
    answered(mounted, 3)
    assert asked == ["probabilities", "probabilities", "probabilities", "text"]
