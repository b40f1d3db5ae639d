"""A real Chromium, a view without Jupyter, and the real places a notebook opens in; none can leave this machine.

Tests use these through the fixtures in conftest.py; benchmarks use them directly.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, sync_playwright

from xllm_widgets.doctor import find_browser
from xllm_widgets.widgets.base import BaseView

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE = 60_000  # ms; a busy machine is slow, not wrong
START_SECONDS = 120.0
TOKEN = "only-for-tests"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium: the one `xllm doctor` finds; nothing is downloaded."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(find_browser()), args=FLAGS, timeout=PATIENCE)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and everything about it that must not happen: errors thrown or logged, requests that leave `home`."""

    page: Page
    home: str = ""
    tolerated: tuple[str, ...] = ()  # parts of what the place itself says or asks for, whatever it shows
    errors: list[str] = field(default_factory=list)
    external: list[str] = field(default_factory=list)

    def assert_clean(self) -> None:
        assert not self.errors, f"errors on the page: {self.errors}"
        assert not self.external, f"requests that left the machine: {self.external}"


@contextmanager
def watched_page(
    browser: Browser, home: str = "", tolerated: tuple[str, ...] = (), **options: Any
) -> Iterator[Watched]:
    """A fresh page that may talk to `home` (scheme, host and port) alone; what it says elsewhere is cut and noted."""
    context = browser.new_context(viewport={"width": 1280, "height": 1400}, **options)
    context.set_default_timeout(PATIENCE)
    seen = Watched(context.new_page(), home, tolerated)
    seen.page.on("pageerror", lambda error: _complain(seen, str(error)))
    seen.page.on("console", lambda line: _note_line(seen, line))
    seen.page.on("websocket", lambda opened: _note(seen, opened.url))
    context.route(lambda url: _leaves(url, home), lambda route, request: (_note(seen, request.url), route.abort()))
    context.on("request", lambda request: _note_request(seen, request))
    yield seen
    context.close()


def _note_line(seen: Watched, line: ConsoleMessage) -> None:
    if line.type == "error":
        _complain(seen, f"{line.text} ({line.location['url']})")


def _complain(seen: Watched, error: str) -> None:
    if not any(part in error for part in seen.tolerated):
        seen.errors.append(error)


def _note_request(seen: Watched, request: Request) -> None:
    if request.url not in seen.external:
        _note(seen, request.url)


def _note(seen: Watched, url: str) -> None:
    if _leaves(url, seen.home) and not any(part in url for part in seen.tolerated):
        seen.external.append(url)


def _leaves(url: str, home: str) -> bool:
    """Whether an address is neither part of the page itself (data, blob, file) nor the server under test."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https", "ws", "wss", "ftp") and parts.netloc != urlsplit(home).netloc


# --- a view without Jupyter -------------------------------------------------------------------------------------------

# The model of anywidget's front-end module format, faithful to Backbone where views could notice: an equal value is no
# change, all values are set before the first listener hears, and only what changed since the last save is sent.
_MODEL = """async ([esm, css, given, views]) => {
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const revive = (value) => (value && value.$bytes !== undefined ? bytes(value.$bytes) : value);
  const octets = (view) => Array.from(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  const text = (view) => btoa(octets(view).map((octet) => String.fromCharCode(octet)).join(""));
  const plain = (value) => (value instanceof DataView ? { $bytes: text(value) } : value);
  const same = (a, b) => JSON.stringify(plain(a)) === JSON.stringify(plain(b));
  const state = {}, listeners = {}, dirty = new Set();
  for (const [name, value] of Object.entries(given)) state[name] = revive(value);
  const put = (values) => {
    const changed = Object.keys(values).filter((name) => !same(state[name], values[name]));
    for (const name of changed) state[name] = values[name];
    for (const name of changed) for (const call of (listeners[`change:${name}`] || []).slice()) call();
    if (changed.length) for (const call of (listeners.change || []).slice()) call();
    return changed;
  };
  const receive = (values) => {
    for (const name of Object.keys(values)) values[name] = revive(values[name]);
    put(values);
  };
  const set = (values) => put(values).forEach((name) => dirty.add(name));
  const model = {
    get: (name) => state[name],
    set: (name, value) => set(typeof name === "string" ? { [name]: value } : name),
    on: (names, call) => names.split(" ").forEach((name) => (listeners[name] ||= []).push(call)),
    off: (names, call) => names.split(" ").forEach((name) => {
      listeners[name] = (listeners[name] || []).filter((other) => call && other !== call);
    }),
    save_changes() {
      if (!dirty.size) return;
      const sent = Object.fromEntries([...dirty].map((name) => [name, plain(state[name])]));
      dirty.clear();
      bench.saved.push(JSON.parse(JSON.stringify(sent)));
      bench.pending += 1;
      window.toPython(JSON.stringify(sent)).then(receive).finally(() => { bench.pending -= 1; });
    },
    send() {},
  };
  const bench = window.bench = { model, listeners, receive, saved: [], pending: 0, cleanups: [] };
  const sheet = document.createElement("style");
  sheet.textContent = css;
  document.head.append(sheet);
  const view = (await import(URL.createObjectURL(new Blob([esm], { type: "text/javascript" })))).default;
  for (let i = 0; i < views; i++) {
    const el = document.createElement("div");
    document.body.append(el);
    bench.cleanups.push(await view.render({ model, el }));
  }
}"""


class Mounted:
    """A view in a page of its own, joined to its Python object: what it saves arrives there, answers here."""

    def __init__(self, page: Page, view: BaseView, views: int = 1, dark: bool = False) -> None:
        self.page, self.view = page, view
        page.set_content('<!doctype html><html lang="en"><meta charset="utf-8"><body></body></html>')
        page.evaluate("(light) => { document.body.dataset.jpThemeLight = light; }", "false" if dark else "true")
        page.expose_function("toPython", self._arrived)
        self._known = self._state()
        page.evaluate(_MODEL, [str(view._esm), str(view._css), self._known, views])

    @property
    def root(self) -> Locator:
        return self.page.locator(".xw-view").first

    @property
    def saved(self) -> list[dict[str, Any]]:
        """Every message so far from the view to Python: trait name → value."""
        return self.page.evaluate("bench.saved")

    def push(self) -> None:
        """Send the browser what Python has changed since, as a kernel would."""
        self.page.evaluate("(changes) => { bench.receive(changes); }", self._changes())

    def settled(self) -> None:
        """Wait until Python has answered everything the view has sent."""
        self.page.wait_for_function("bench.pending === 0")

    def unmount(self) -> int:
        """Take all views away; the number of listeners they left on the model."""
        self.page.evaluate("bench.cleanups.forEach((clean) => clean())")
        return self.page.evaluate("Object.values(bench.listeners).flat().length")

    def _arrived(self, sent: str) -> dict[str, Any]:
        values = {name: _decoded(value) for name, value in json.loads(sent).items()}
        self._known |= {name: _encoded(value) for name, value in values.items()}
        self.view.set_state(values)
        return self._changes()

    def _changes(self) -> dict[str, Any]:
        state = self._state()
        changes = {name: value for name, value in state.items() if value != self._known[name]}
        self._known = state
        return changes

    def _state(self) -> dict[str, Any]:
        """A copy, since Python may change a list in place."""
        values = {name: _encoded(getattr(self.view, name)) for name in self.view.state_names()}
        return json.loads(json.dumps(values))


def _encoded(value: Any) -> Any:
    return {"$bytes": base64.b64encode(bytes(value)).decode()} if isinstance(value, bytes | memoryview) else value


def _decoded(value: Any) -> Any:
    return base64.b64decode(value["$bytes"]) if isinstance(value, dict) and "$bytes" in value else value


# --- where a notebook opens -------------------------------------------------------------------------------------------

# Every kernel runs this first: a student's own machine may be online, a test must not notice.
_OFFLINE = """
import ipaddress as _ip, socket as _socket
def _only_here(really):
    def connect(self, address):
        host = address[0] if isinstance(address, tuple) else "localhost"
        if host not in ("localhost", "") and not _ip.ip_address(host).is_loopback:
            raise ConnectionError(f"a notebook under test tried to reach {address}")
        return really(self, address)
    return connect
_socket.socket.connect = _only_here(_socket.socket.connect)
_socket.socket.connect_ex = _only_here(_socket.socket.connect_ex)
"""


@dataclass(frozen=True)
class FrontEnd:
    """What there is to do with a notebook in one place, and what that place says whatever the notebook holds."""

    address: str  # of a notebook, up to the token
    failed: str  # where a cell shows that it failed
    ready: str = "body"
    run: tuple[str, ...] = ()  # what is clicked to run all cells; nothing, where opening is running
    save: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    tolerated: tuple[str, ...] = ()


LAB = FrontEnd(
    address="/lab/tree/{}?reset&",
    failed="[data-mime-type='application/vnd.jupyter.error']",
    ready=".jp-NotebookPanel-toolbar",
    run=(".lm-MenuBar-item:has-text('Run')", "li.lm-Menu-item[data-command='runmenu:run-all']"),
    save=(".lm-MenuBar-item:has-text('File')", "li.lm-Menu-item[data-command='docmanager:save']"),
    restart=(
        ".lm-MenuBar-item:has-text('Kernel')",
        "li.lm-Menu-item[data-command='kernelmenu:restart']",
        ".jp-Dialog-button.jp-mod-accept",
    ),
)
NOTEBOOK = replace(
    LAB,
    address="/notebooks/{}?",
    # Two races of its own parts: settings with shortcuts (jupyter/notebook#7862); where it starts fast, the address
    # with a file browser that this page leaves out. Nothing of ours is called a schema or registers a command. And the
    # font of its dialogs is asked for without the cookie that lets one in: the line that ends so, not the request.
    tolerated=("undefined (reading 'schema')", "Command 'filebrowser:open-path' not registered.", ".woff2)"),
)
VOILA = FrontEnd(
    address="/voila/render/{}?",
    failed="text=There was an error when executing cell",
    tolerated=(
        # Its page asks two CDNs for icons and formulas: cut off here, as without a network; the views do without.
        "cdn.jsdelivr.net/npm/@fortawesome/fontawesome-free",
        "cdnjs.cloudflare.com/ajax/libs/mathjax",
        # It offers its page to every extension of JupyterLab, and Notebook 7's asks for what is not there.
        "The getter for the shared module is not a function",
    ),
)
CLASSIC = FrontEnd(
    address="/nbclassic/notebooks/{}?",
    failed=".output_error",
    ready="#celllink",
    run=("#celllink", "#run_all_cells"),
    save=("#save-notbook button",),
    restart=("#kernellink", "#restart_kernel", ".modal-footer .btn-danger"),
    # It looks first for the widgets of 2015, and Voilà announces a script to it that is not there.
    tolerated=("nbextensions/widgets/notebook/js/extension", "nbextensions/voila/extension"),
)


@dataclass(frozen=True)
class Server:
    """A running Jupyter: its address, and the folder whose notebooks it serves."""

    base: str
    root: Path


def jupyter_lab(home: Path, subshells: bool = False) -> AbstractContextManager[Server]:
    """A JupyterLab on loopback, which knows nothing of the user's own settings; Notebook 7 and Voilà answer there too.

    `subshells` carries widget messages over kernel subshells, JupyterLab's default; ours is off (35 ms a step).
    """
    return _serving("jupyterlab", home, _environment(home, subshells))


def classic_notebook(home: Path, older: Path) -> AbstractContextManager[Server]:
    """The notebook of before version 7, apart as the JupyterLab above; packages in `older` hide those installed."""
    environment = _environment(home, subshells=False)
    hiding = {
        "PYTHONPATH": os.pathsep.join([str(older), environment["PYTHONPATH"]]),
        "JUPYTER_PATH": str(older / "share" / "jupyter"),
        "JUPYTER_CONFIG_PATH": str(older / "etc" / "jupyter"),
    }
    return _serving("nbclassic", home, environment | hiding)


@contextmanager
def _serving(module: str, home: Path, environment: dict[str, str]) -> Iterator[Server]:
    root = home / "notebooks"
    root.mkdir()
    port = _free_port()
    log = home / "server.log"
    command = [
        sys.executable, "-m", module, "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
        "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={root}",
    ]  # fmt: skip
    with log.open("w") as out:
        server = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        base = f"http://127.0.0.1:{port}"
        _wait_until_up(server, base, log)
        yield Server(base, root)
    finally:
        _stop(server)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _environment(home: Path, subshells: bool) -> dict[str, str]:
    """Everything Jupyter, IPython and matplotlib would write or read at home goes to a folder of this run."""
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    news = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(news))
    comms = {"commsOverSubshells": "perCommTarget" if subshells else "disabled"}
    (settings / "kernels-settings.jupyterlab-settings").write_text(json.dumps(comms))
    startup = home / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-offline.py").write_text(_OFFLINE)
    folders = {
        "HOME": "", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython", "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "MPLCONFIGDIR": "matplotlib",
    }  # fmt: skip
    here = {name: str(home / folder) for name, folder in folders.items()}
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return {**os.environ, **here, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _wait_until_up(server: subprocess.Popen[bytes], base: str, log: Path) -> None:
    for _ in range(int(START_SECONDS / 0.25)):
        try:
            urllib.request.urlopen(f"{base}/api/status?token={TOKEN}", timeout=5).read()
            return
        except OSError:
            pass
        try:
            server.wait(0.25)
        except subprocess.TimeoutExpired:
            continue
        break
    raise RuntimeError(f"Jupyter did not start:\n{log.read_text()}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    """One SIGTERM shuts the kernels down and then the server; a second would leave kernels behind."""
    server.terminate()
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def run_cells(
    page: Page, server: Server, cells: list[str], name: str, timeout_s: float = 300, place: FrontEnd = LAB
) -> Page:
    """Open a notebook of these code cells in a place and run all of it; raises AssertionError if a cell fails."""
    path = f"{name}.ipynb"
    _write_notebook(server.root / path, [*cells, 'print("all cells " + "have run")'])
    page.goto(f"{server.base}{place.address.format(path)}token={TOKEN}")
    page.wait_for_selector(place.ready)
    if place.run:
        _wait_for_kernel(page, server, path)
    for item in place.run:
        page.click(item)
    failed = page.locator(place.failed)
    page.get_by_text("all cells have run", exact=True).or_(failed).first.wait_for(timeout=timeout_s * 1000)
    assert failed.count() == 0, failed.first.inner_text()
    return page


def _write_notebook(path: Path, cells: list[str]) -> None:
    python = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)), metadata={"kernelspec": python})
    nbformat.write(made, path)


def saved_notebook(page: Page, server: Server, name: str, place: FrontEnd) -> nbformat.NotebookNode:
    """The notebook as the place writes it into its file when told to save."""
    with page.expect_response(lambda reply: reply.request.method == "PUT" and "/api/contents/" in reply.url):
        for item in place.save:
            page.click(item)
    return nbformat.read(server.root / f"{name}.ipynb", as_version=4)


def _wait_for_kernel(page: Page, server: Server, path: str) -> None:
    """Run All silently does nothing before the kernel exists, is idle and is connected; the toolbar does not tell."""
    for _ in range(int(START_SECONDS / 0.2)):
        sessions = page.request.get(f"{server.base}/api/sessions?token={TOKEN}").json()
        kernels = [session["kernel"] for session in sessions if session["path"] == path]
        if any(kernel["execution_state"] == "idle" and kernel["connections"] for kernel in kernels):
            page.wait_for_timeout(300)
            return
        page.wait_for_timeout(200)  # not time.sleep: it would keep Playwright's own handlers from running
    raise RuntimeError("the notebook's kernel did not become idle")


# --- latency ----------------------------------------------------------------------------------------------------------

# From a real key press or click to the frame that shows each milestone: an attribute that has changed and matches.
_ARM = """([milestones, limit]) => {
  let start = null;
  const press = () => { start ??= performance.now(); };
  for (const type of ["keydown", "click"]) document.addEventListener(type, press, { capture: true, once: true });
  const reached = ([name, [selector, attribute, pattern]]) => new Promise((resolve, reject) => {
    const node = document.querySelector(selector), was = node.getAttribute(attribute);
    const late = setTimeout(() => reject(new Error(`${name} was not reached: ${node.getAttribute(attribute)}`)), limit);
    const watch = new MutationObserver(() => {
      const value = node.getAttribute(attribute);
      if (value === was || value === null || !new RegExp(pattern).test(value)) return;
      watch.disconnect();
      clearTimeout(late);
      requestAnimationFrame(() => {
        const after = new MessageChannel();
        after.port1.onmessage = () => resolve([name, performance.now() - start]);
        after.port2.postMessage(0);
      });
    });
    watch.observe(node, { attributes: true, attributeFilter: [attribute] });
  });
  window.measured = Promise.all(Object.entries(milestones).map(reached)).then(Object.fromEntries);
}"""


def latency(
    page: Page, act: Callable[[], None], milestones: dict[str, tuple[str, str, str]], n: int = 30
) -> dict[str, list[float]]:
    """Milliseconds from a real key press or click (`act`) to the frame that shows each milestone, `n` times.

    A milestone is (selector, attribute, pattern): reached when that attribute has changed and matches the pattern.
    """
    times: dict[str, list[float]] = {name: [] for name in milestones}
    for _ in range(n):
        page.evaluate(_ARM, [milestones, PATIENCE])
        act()
        for name, value in page.evaluate("window.measured").items():
            times[name].append(value)
        page.wait_for_timeout(60)
    return times


# --- frames -----------------------------------------------------------------------------------------------------------

_COUNT_FRAMES = """() => {
  const times = [];
  const tick = (now) => { times.push(now); next = requestAnimationFrame(tick); };
  let next = requestAnimationFrame(tick);
  window.counted = () => { cancelAnimationFrame(next); return times; };
}"""


def frame_times(page: Page, act: Callable[[int], None], seconds: float = 2.0) -> list[float]:
    """Milliseconds between one frame and the next while `act(0)`, `act(1)`, … are done one after the other."""
    page.evaluate(_COUNT_FRAMES)
    until, step = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        act(step)
        step += 1
    times = page.evaluate("counted()")
    return [late - early for early, late in itertools.pairwise(times)]


def roam(page: Page, within: Locator) -> Callable[[int], None]:
    """What a restless hand does over a part of a page: the pointer moves, the wheel turns, now and then it clicks."""
    box = within.bounding_box()
    assert box is not None

    def act(step: int) -> None:
        x = box["x"] + box["width"] * (0.1 + 0.8 * (step * 0.37 % 1))
        y = box["y"] + box["height"] * (0.1 + 0.8 * (step * 0.61 % 1))
        page.mouse.move(x, y)
        if step % 3 == 0:
            page.mouse.wheel(0, 240 if step % 60 < 30 else -240)
        if step % 8 == 0:
            page.mouse.click(x, y)

    return act
