"""Views on a page of their own: interactive from a file, without network, kernel or widget manager."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xllm_widgets.widgets.language import strings

if TYPE_CHECKING:
    from xllm_widgets.widgets.base import BaseView

_HOST = Path(__file__).with_name("_host.js")

# nothing may be fetched: scripts only from this page and from the modules it makes itself
_POLICY = "default-src 'none'; script-src 'unsafe-inline' blob:; style-src 'unsafe-inline'; img-src data:"


def page(views: Sequence[BaseView], title: str = "xllm-widgets") -> str:
    """One self-contained HTML page with every view on it; dark where the reader's system is dark."""
    return (
        f'<!doctype html>\n<html lang="{strings("common")["lang"]}"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width"></head>\n<body><main style="display: grid; gap: 16px">\n'
        + "\n".join(map(fragment, views))
        + f"\n</main><script>{_HOST.read_text(encoding='utf-8')}</script></body></html>\n"
    )


def fragment(view: BaseView) -> str:
    """One view as inert JSON for the host script, and its words for those without scripts."""
    state, buffers = {}, {}
    for name in view.state_names():
        value = getattr(view, name)
        if isinstance(value, (bytes, bytearray, memoryview)):
            buffers[name] = base64.b64encode(bytes(value)).decode()
        else:
            state[name] = value
    payload = json.dumps({"state": state, "buffers": buffers, "esm": str(view._esm), "css": str(view._css)})
    words = html.escape(view.describe())
    return (
        f'<div class="xw-static"><script type="application/x-xw-afm">{_inert(payload)}</script>'
        f"<noscript><pre>{words}</pre></noscript></div>"
    )


def _inert(payload: str) -> str:
    """JSON that cannot end the script element it lies in, whatever the tokens say."""
    return payload.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
