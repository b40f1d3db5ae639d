"""Colours that mean one thing each, and text that can be read on all of them."""

import pytest

from xllm_widgets.widgets import palette

AA = 4.5


def over(colour: tuple[float, ...], alpha: float, ground: str) -> tuple[float, float, float]:
    """A colour in 0 … 1 laid over an opaque ground."""
    red, green, blue = (
        alpha * c + (1 - alpha) * under for c, under in zip(colour, palette.hex_rgb(ground), strict=False)
    )
    return (red, green, blue)


@pytest.mark.parametrize("theme", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
@pytest.mark.parametrize("sign", [1, -1], ids=["toward", "away"])
def test_text_reads_over_the_strongest_colour(theme, sign) -> None:
    *rgb, alpha = palette.ground(sign * 5.0, limit=1.0)
    assert alpha == palette.MAX_ALPHA
    assert palette.contrast(over(tuple(rgb), alpha, theme["ground"]), palette.hex_rgb(theme["ink"])) >= AA


@pytest.mark.parametrize("theme", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["ground", "well"])
@pytest.mark.parametrize("ink", ["ink", "muted"])
def test_text_reads_on_every_plain_ground(theme, ground, ink) -> None:
    assert palette.contrast(palette.hex_rgb(theme[ground]), palette.hex_rgb(theme[ink])) >= AA


def test_text_reads_over_all_of_cividis() -> None:
    grounds = [palette.cividis(i / 100) for i in range(101)]
    worst = min(palette.contrast(g, palette.hex_rgb(palette.ink_over(g))) for g in grounds)
    assert worst >= AA


def test_contrast_is_wcags() -> None:
    assert palette.contrast((0, 0, 0), (1, 1, 1)) == pytest.approx(21)
    assert palette.contrast(palette.hex_rgb("#777777"), (1, 1, 1)) == pytest.approx(4.48, abs=0.01)


def test_ground_is_symmetric_capped_and_none_without_a_number() -> None:
    toward, away = palette.ground(0.5, 1.0), palette.ground(-0.5, 1.0)
    assert toward[3] == away[3] == pytest.approx(palette.MAX_ALPHA / 2)
    assert toward[:3] != away[:3]
    assert palette.ground(float("nan"), 1.0)[3] == palette.ground(0.0, 1.0)[3] == palette.ground(1.0, 0.0)[3] == 0


def test_size_ramp_goes_from_light_to_dark_in_any_number_of_steps() -> None:
    for n in (1, 2, 4, 5, 9):
        colours = palette.size_colours(n)
        brightness = [palette.luminance(palette.hex_rgb(colour)) for colour in colours]
        assert len(set(colours)) == n
        assert brightness == sorted(brightness, reverse=True)


def test_browser_and_matplotlib_share_the_numbers() -> None:
    from xllm_widgets.widgets import style

    css = palette.css_variables()
    assert all(f"--xw-{name}: {value};" in css for name, value in palette.LIGHT.items())
    strongest = style.diverging_map()(1.0)[:3]
    assert strongest == pytest.approx(
        over(tuple(c / 255 for c in palette.TOWARD), palette.MAX_ALPHA, "#ffffff"), abs=0.01
    )
