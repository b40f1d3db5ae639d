"""One meaning a colour, through the whole course: the only place where colours, fonts and motion are chosen.

The same numbers reach the browser (`css_variables`, `as_dict`) and matplotlib (`xllm_widgets.widgets.style`).
"""

from __future__ import annotations

RGB = tuple[int, int, int]

TOWARD: RGB = (230, 97, 1)  # PuOr's orange: pushes toward the answer
AWAY: RGB = (94, 60, 153)  # PuOr's purple: pushes away from it
MAX_ALPHA = 0.75  # text stays readable on the ground, light and dark (AA, contrast of at least 4.5 : 1, on both)

BASE = "#12766f"  # teal: the base model
CHAT = "#b0246e"  # magenta: the chat model
CONTROL = "#757575"  # always grey, always dashed
SIZE_RAMP = ("#9dc3e6", "#6aa2d8", "#3c7dbf", "#1d5a9c", "#0b3a6f")  # one hue, small to large
CONTROL_LINE = {"color": CONTROL, "linestyle": (0, (4, 3)), "linewidth": 1.4}
HELD_OUT = {"markerfacecolor": "none"}  # held out is always hollow

# cividis at eleven even steps (Nuñez, Anderton & Renslow, 2018): surprise and uncertainty
CIVIDIS: tuple[RGB, ...] = (
    (0, 34, 78), (8, 51, 112), (53, 69, 108), (79, 87, 108), (102, 105, 112), (125, 124, 120),
    (148, 142, 119), (174, 163, 113), (200, 184, 102), (229, 207, 82), (254, 232, 56),
)  # fmt: skip

LIGHT = {"ink": "#0a0a0b", "muted": "#5c6066", "rule": "#d9dbde", "ground": "#ffffff", "well": "#f5f6f7"}
DARK = {"ink": "#eceef0", "muted": "#a9adb3", "rule": "#3d4045", "ground": "#111213", "well": "#1d1f21"}

FONTS = (
    "Inter", "Helvetica Neue", "Segoe UI", "Roboto", "Noto Sans", "Arial", "DejaVu Sans",
    "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", "Noto Sans CJK JP", "Noto Sans Arabic",
)  # fmt: skip
MONO = ("ui-monospace", "SF Mono", "Cascadia Mono", "Consolas", "Noto Sans Mono", "DejaVu Sans Mono")
MOTION_MS = 150

GLYPHS = {"shown": "●", "not shown": "○", "reversed": "⟲"}  # verdicts are words with a glyph


def ground(value: float, limit: float) -> tuple[float, float, float, float]:
    """RGBA in 0 … 1 of the ground under a token: hue by sign, alpha by size, symmetric about zero.

    `limit` is the size that gets the full alpha; a value that is not a number has no ground.
    """
    if value != value or limit <= 0:
        return (0.0, 0.0, 0.0, 0.0)
    red, green, blue = TOWARD if value > 0 else AWAY
    return (red / 255, green / 255, blue / 255, MAX_ALPHA * min(1.0, abs(value) / limit))


def cividis(share: float) -> tuple[float, float, float]:
    """RGB in 0 … 1 of a share between 0 (no surprise) and 1, interpolated between the eleven steps."""
    place = min(1.0, max(0.0, share)) * (len(CIVIDIS) - 1)
    low = min(int(place), len(CIVIDIS) - 2)
    near, far, step = CIVIDIS[low], CIVIDIS[low + 1], place - low
    red, green, blue = ((a + (b - a) * step) / 255 for a, b in zip(near, far, strict=True))
    return (red, green, blue)


def luminance(rgb: tuple[float, float, float]) -> float:
    """Relative luminance of WCAG 2.2 for RGB in 0 … 1."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """Contrast ratio of WCAG 2.2, 1 … 21; AA asks for 4.5 under running text."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def hex_rgb(colour: str) -> tuple[float, float, float]:
    """`#rrggbb` as RGB in 0 … 1."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return (red, green, blue)


def ink_over(rgb: tuple[float, float, float]) -> str:
    """The ink, black or white, that reads better over an opaque ground."""
    return max(("#000000", "#ffffff"), key=lambda ink: contrast(hex_rgb(ink), rgb))


def size_colours(n: int) -> list[str]:
    """`n` colours of the size ramp, smallest model first; more than five are interpolated."""
    if n <= 1:
        return [SIZE_RAMP[-2]][:n]
    return [_between(i / (n - 1)) for i in range(n)]


def _between(share: float) -> str:
    place = share * (len(SIZE_RAMP) - 1)
    low = min(int(place), len(SIZE_RAMP) - 2)
    near, far = hex_rgb(SIZE_RAMP[low]), hex_rgb(SIZE_RAMP[low + 1])
    mixed = (a + (b - a) * (place - low) for a, b in zip(near, far, strict=True))
    return "#" + "".join(f"{round(c * 255):02x}" for c in mixed)


def as_dict() -> dict[str, object]:
    """What the browser needs to know of the palette, as plain JSON."""
    return {"cividis": [list(step) for step in CIVIDIS], "maxAlpha": MAX_ALPHA, "glyphs": GLYPHS}


# where the surrounding page says that it is dark: JupyterLab, VS Code, Colab, marimo, our own static page
_DARK_PAGES = (
    'body[data-jp-theme-light="false"]', 'body[data-vscode-theme-kind*="dark"]', 'html[theme="dark"]', ".dark",
    ".xw-static-dark",
)  # fmt: skip


def css_themes() -> tuple[str, str]:
    """The palette as declarations of custom properties: all of them, light; and those that are others in the dark."""
    stack = ", ".join(["system-ui"] + [f'"{name}"' for name in FONTS] + ["sans-serif"])
    mono = ", ".join([MONO[0]] + [f'"{name}"' for name in MONO[1:]] + ["monospace"])
    fixed = {
        "toward": " ".join(map(str, TOWARD)), "away": " ".join(map(str, AWAY)), "base": BASE, "chat": CHAT,
        "font": stack, "mono": mono, "motion": f"{MOTION_MS}ms",
    }  # fmt: skip
    light = {**fixed, **LIGHT, "control": CONTROL, "accent": "#1d5a9c"}
    dark = {**DARK, "control": "#9a9a9a", "accent": "#8ebbe8"}
    return _declarations(light), _declarations(dark)


def css_variables() -> str:
    """The palette on every view's root, light by default, dark where the page is dark."""
    light, dark = css_themes()
    hooks = ", ".join(f"{page} .xw-view" for page in _DARK_PAGES)
    return f".xw-view {{ {light} }}\n{hooks} {{ {dark} }}\n"


def _declarations(values: dict[str, str]) -> str:
    return " ".join(f"--xw-{name}: {value};" for name, value in values.items())
