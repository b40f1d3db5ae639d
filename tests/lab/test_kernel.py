"""The panel in a real kernel: a click returns at once and Stop is heard, on the main shell and on a subshell."""

import time

import pytest

pytest.importorskip("ipykernel")

SETUP = """
import torch
torch.set_num_threads(1)
import xllm_widgets as xw
from xllm_widgets.models import bundled_models
lm = xw.load(bundled_models()[0])
panel = xw.lab(xw.flipped_labels, lm, trials=1000)
"""


class Kernel:
    def __init__(self, client):
        self.client = client

    def run(self, code):
        told = []

        def hear(message):
            content = message["content"]
            told.append(content.get("text") or "\n".join(content.get("traceback", [])))

        self.client.execute_interactive(code, timeout=120, output_hook=hear)
        return "".join(told).strip()

    def until(self, code, seconds=60):
        """Asks again until the answer is True; what the front end would see, polled."""
        end = time.monotonic() + seconds
        while (answer := self.run(f"print({code})")) != "True":
            assert time.monotonic() < end, f"{code} stayed {answer}"
            time.sleep(0.2)

    def subshell(self):
        self.client.control_channel.send(self.client.session.msg("create_subshell_request"))
        return self.client.get_control_msg(timeout=20)["content"].get("subshell_id")

    def click(self, button, subshell=None):
        """The message that a front end sends, to the main shell or, as JupyterLab 4.4 and later do, to a subshell."""
        data = {"method": "custom", "content": {"event": "click"}}
        message = self.client.session.msg("comm_msg", {"comm_id": self.run(f"print({button}.model_id)"), "data": data})
        if subshell:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)


@pytest.fixture(scope="module")
def kernel():
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", startup_timeout=120)
    try:
        kernel = Kernel(client)
        assert kernel.run(SETUP) == ""
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("where", ["main shell", "subshell"])
def test_a_click_runs_and_a_click_stops(kernel, where):
    subshell = kernel.subshell() if where == "subshell" else None
    if where == "subshell" and not subshell:
        pytest.skip("this ipykernel knows no subshells: it needs version 7 or later")
    kernel.click("panel.run_button", subshell)
    kernel.until("panel.bar.value > 0 and 'left' in panel.said")
    kernel.click("panel.stop_button", subshell)
    kernel.until("not panel.run_button.disabled")
    assert kernel.run("print(panel.said)").startswith("stopped after")
    assert kernel.run("print(0 < panel.evidence.table['item'].nunique() < 1000)") == "True"
