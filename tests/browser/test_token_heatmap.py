"""The token heatmap in a real browser."""

import pytest

from xllm_widgets.widgets.token_heatmap import TokenHeatmap

pytestmark = pytest.mark.browser

HOSTILE = ["<img src=x onerror=window.owned=1>", "</script>", "</style>", " <b>x</b>", "&amp;", "日本語", " مرحبا"]


def test_hostile_tokens_are_text(mount) -> None:
    view = TokenHeatmap(HOSTILE, range(len(HOSTILE)), title="<img>", caption="</style><b>", targets=["<u>"])
    mounted = mount(view)
    tokens = mounted.root.locator(".xw-token")
    assert tokens.all_text_contents() == HOSTILE
    assert mounted.page.evaluate("window.owned") is None
    assert mounted.page.locator(".xw-view :is(img, b, u, script)").count() == 0
