"""What do ipywidgets' controls lack, for keyboard and ears? What `_access.js` gives them, in their panel."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

from xllm_widgets import widgets

PANEL = "xw-panel"
"""The class of the panel in which an `Access` finds the others."""


class Access(anywidget.AnyWidget):
    """Invisible child of a panel: Jupyter's shortcuts leave every control of the panel alone, and each gets its names.

    `attributes`: class of a part of the panel → attribute → value (`aria-label`, `alt`, …).
    """

    _esm = Path(widgets.__file__).with_name("_access.js").read_text(encoding="utf-8")
    attributes = traitlets.Dict().tag(sync=True)

    def give(self, part: str, **attributes: str) -> None:
        """More attributes for the parts of a class, `aria_label` for `aria-label`; those it has stay."""
        named = {name.replace("_", "-"): value for name, value in attributes.items()}
        self.attributes = {**self.attributes, part: {**self.attributes.get(part, {}), **named}}
