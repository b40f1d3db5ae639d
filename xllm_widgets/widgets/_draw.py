"""Text that flows on a coloured ground in a matplotlib figure: the static twin of tokens in the browser."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xllm_widgets.widgets import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINT = 1 / 72  # inches
LINE = 1.75  # line height, as a multiple of the font size


@dataclass(frozen=True)
class Run:
    """A stretch of text with one ground (RGBA or None) and one ink; it is never broken inside."""

    text: str
    ground: tuple[float, ...] | None = None
    ink: str = palette.LIGHT["ink"]
    weight: str = "normal"
    breaks: bool = True  # a line may begin with this run


class Page:
    """Inches from the top left of a figure; nothing is drawn until `finish`, when the height is known."""

    def __init__(self, figure: Figure, margin: float = 0.15) -> None:
        self.figure, self.margin, self.y = figure, margin, margin
        self.width = figure.get_figwidth() - 2 * margin
        self._marks: list[Any] = []

    def text(
        self, x: float, y: float, text: str, size: float = 10, ink: str = palette.LIGHT["ink"], **more: Any
    ) -> None:
        """One line of text whose baseline is `y` inches from the top; never read as mathematics."""
        self._marks.append(
            ("text", x, y, _printable(text), {"fontsize": size, "color": ink, "parse_math": False, **more})
        )

    def box(self, x: float, y: float, width: float, height: float, colour: Any, **more: Any) -> None:
        """A filled rectangle whose top left is (x, y)."""
        if width > 0:
            self._marks.append(("box", x, y, (width, height), {"facecolor": colour, "linewidth": 0, **more}))

    def line(self, x: tuple[float, float], y: tuple[float, float], **more: Any) -> None:
        self._marks.append(("line", x, y, None, more))

    def flow(self, runs: Iterable[Run], x: float, y: float, width: float, size: float = 10) -> float:
        """Sets runs one after another from baseline `y`, breaking lines at `width`; returns the last baseline."""
        left, step = x, size * POINT * LINE
        for run in runs:
            wide = self.measure(run.text, size, run.weight)
            if run.text == "\n" or (run.breaks and x > left and x + wide > left + width):
                x, y = left, y + step
                if run.text == "\n":
                    continue
            if run.ground is not None:
                self.box(x, y - size * POINT * 1.05, wide, size * POINT * 1.42, run.ground)
            self.text(x, y, run.text, size, run.ink, fontweight=run.weight)
            x += wide
        return y

    def paragraph(self, text: str, x: float, y: float, width: float, size: float = 10, **more: Any) -> float:
        """Plain text from baseline `y`, each line set in one piece so that its words are kerned; the last baseline."""
        line, weight = "", more.get("fontweight", "normal")
        for word in words(text):
            if word == "\n" or (line and self.measure(line + word, size, weight) > width):
                self.text(x, y, line.strip(), size, **more)
                line, y = "", y + size * POINT * LINE
            line += word.strip("\n")
        self.text(x, y, line.strip(), size, **more)
        return y

    def measure(self, text: str, size: float, weight: str = "normal") -> float:
        """Width of a text in inches."""
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import text_to_path

        shown = _printable(text)
        padded = "|" + shown + "|"  # spaces at the ends count as well
        width = text_to_path.get_text_width_height_descent
        font = FontProperties(size=size, weight=weight)
        return float(width(padded, font, False)[0] - width("||", font, False)[0]) * POINT

    def finish(self, height: float) -> None:
        """Draws everything on a page `height` inches high."""
        from matplotlib.lines import Line2D
        from matplotlib.patches import Rectangle

        full = self.figure.get_figwidth()
        self.figure.set_figheight(height)
        for kind, x, y, what, more in self._marks:
            if kind == "text":
                self.figure.text((self.margin + x) / full, 1 - y / height, what, va="baseline", **more)
            elif kind == "box":
                corner = ((self.margin + x) / full, 1 - (y + what[1]) / height)
                self.figure.add_artist(Rectangle(corner, what[0] / full, what[1] / height, **more))
            else:
                xs = [(self.margin + place) / full for place in x]
                self.figure.add_artist(Line2D(xs, [1 - place / height for place in y], **more))


def _printable(text: str) -> str:
    """Control characters have no glyph; fonts would draw a box for each."""
    return "".join(c if c.isprintable() or c == " " else "·" for c in text)


def words(text: str) -> list[str]:
    """A text in pieces that a line may begin with, the space before each word kept with it."""
    pieces: list[str] = []
    for char in text:
        if pieces and char != " " and char != "\n" and pieces[-1] != "\n" and not _wide(char):
            pieces[-1] += char
        else:
            pieces.append(char)
    return pieces


def _wide(char: str) -> bool:
    return "\u2e80" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7af" or "\uff00" <= char <= "\uffef"
