"""Colab's ipywidgets 7.7.1 and anywidget 0.9.21 in a real kernel: what every view sends, hears and leaves behind."""

import base64
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

TESTS = Path(__file__).parents[1]
MAKE = """import json, anywidget, ipywidgets
from every_view import VIEWS
views = {name: make() for name, make in VIEWS.items()}
made = {name: [view.model_id, view.state_names()] for name, view in views.items()}
print(json.dumps({"versions": [ipywidgets.__version__, anywidget.__version__], "made": made}))"""


class Kernel:
    """A kernel as a front end sees it: code goes in, and the messages that came of it are kept."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client

    def run(self, code: str) -> list[dict]:
        """Every message the code caused; fails with the cell's traceback if it raised."""
        messages: list[dict] = []
        reply = self.client.execute_interactive(code, output_hook=messages.append, timeout=120)
        assert reply["content"]["status"] == "ok", "\n".join(reply["content"]["traceback"])
        return messages

    def value(self, code: str):
        """What an expression is in the kernel, as JSON."""
        return json.loads(printed(self.run(f"print(json.dumps({code}))")))

    def tell(self, model: str, state: dict) -> None:
        """A change, as a front end of ipywidgets 7 sends it."""
        content = {"comm_id": model, "data": {"method": "update", "state": state, "buffer_paths": []}}
        self.client.shell_channel.send(self.client.session.msg("comm_msg", content))


def printed(messages: list[dict]) -> str:
    return "".join(message["content"]["text"] for message in messages if message["msg_type"] == "stream")


def updates(messages: list[dict], model: str) -> dict:
    """All the state that was sent to one model."""
    sent = [message["content"] for message in messages if message["msg_type"] == "comm_msg"]
    states = [each["data"]["state"] for each in sent if each["comm_id"] == model]
    return {name: value for state in states for name, value in state.items()}


@pytest.fixture(scope="module")
def kernel(older_widgets, tmp_path_factory) -> Iterator[Kernel]:
    paths = [older_widgets, TESTS.parent, TESTS, os.environ.get("PYTHONPATH", "")]
    apart = {"PYTHONPATH": os.pathsep.join(map(str, paths)), "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython"))}
    manager, client = start_new_kernel(env=os.environ | apart)
    yield Kernel(client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def opening(kernel) -> list[dict]:
    """The messages of making one of every view."""
    return kernel.run(MAKE)


@pytest.fixture(scope="module")
def made(opening) -> dict[str, tuple[str, list[str]]]:
    """View → the name of its model, and the traits its browser side reads."""
    said = json.loads(printed(opening))
    assert said["versions"] == ["7.7.1", "0.9.21"]
    return said["made"]


def test_every_view_opens_a_model_that_anywidget_draws(opening, made) -> None:
    opened = {each["content"]["comm_id"]: each for each in opening if each["msg_type"] == "comm_open"}
    for name, (model, traits) in made.items():
        content = opened[model]["content"]
        state, binary = content["data"]["state"], [path[0] for path in content["data"]["buffer_paths"]]
        assert content["target_name"] == "jupyter.widget"
        assert opened[model]["metadata"]["version"] == "2.1.0"
        assert (state["_model_module"], state["_view_name"]) == ("anywidget", "AnyView")
        assert "export default" in state["_esm"]
        assert set(traits) <= {*state, *binary}, name
        assert len(opened[model]["buffers"]) == len(binary)


def test_what_python_sets_is_sent(kernel, made) -> None:
    said = kernel.run('for name, view in views.items(): view.error = f"Python speaks to {name}"')
    for name, (model, _) in made.items():
        assert updates(said, model) == {"error": f"Python speaks to {name}"}


def test_numbers_are_sent_as_bytes(kernel, made) -> None:
    model, _ = made["token_heatmap"]
    said = kernel.run("views['token_heatmap'].set_scores([[3, 4], [5, 6]])")
    (binary,) = [each for each in said if each["msg_type"] == "comm_msg" and each["buffers"]]
    assert (binary["content"]["comm_id"], binary["content"]["data"]["buffer_paths"]) == (model, [["values"]])
    assert bytes(binary["buffers"][0]) == struct.pack("<4f", 3, 4, 5, 6)


def test_what_the_front_end_sends_arrives(kernel, made) -> None:
    for name, (model, _) in made.items():
        kernel.tell(model, {"error": f"{name} speaks to Python"})
    heard = kernel.value("{name: view.error for name, view in views.items()}")
    assert heard == {name: f"{name} speaks to Python" for name in made}


def test_a_choice_and_an_edit_are_answered(kernel, made) -> None:
    kernel.run("chosen = []; views['token_heatmap'].on_select(chosen.append)")
    kernel.tell(made["token_heatmap"][0], {"selected": 1})
    assert kernel.value("chosen") == [1]
    edit = {"n": 1, "name": "flip", "arguments": [0]}
    kernel.tell(made["demonstration_editor"][0], {"command": edit})
    assert kernel.value("views['demonstration_editor'].demonstrations[0]['label']") == "negative"


def test_every_view_leaves_picture_and_words(kernel, made) -> None:
    """Displayed as a cell displays it, since ipywidgets 7 has a way of its own that would leave the view alone."""
    for name, (model, _) in made.items():
        (shown,) = [each for each in kernel.run(f"views[{name!r}]") if each["msg_type"] == "execute_result"]
        data = shown["content"]["data"]
        assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == model
        assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG"), name
        assert data["text/plain"] == kernel.value(f"views[{name!r}].describe()")
