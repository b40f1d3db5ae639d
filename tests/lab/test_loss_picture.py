"""The picture of the loss: when it is drawn, what it says, and that it stays silent where there is no notebook."""

import base64
import sys
from dataclasses import dataclass

import pytest

from xllm_widgets.lab import LossPicture, loss_picture
from xllm_widgets.microworld.training import TOKENS_A_STEP, Progress


@dataclass(frozen=True)
class Tuned(Progress):
    tokens: int = 0


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


class Screen:
    """Stands in for the front end: what was put on it, and what was then renewed."""

    def __init__(self):
        self.shown, self.renewed, self.at_the_end = [], [], []

    def display(self, what, display_id=None):
        assert display_id is True
        self.shown.append(what._repr_mimebundle_())
        return self

    def update(self, what):
        self.renewed.append(what._repr_mimebundle_())

    def register(self, event, callback):
        assert event == "post_run_cell"
        self.at_the_end.append(callback)

    def unregister(self, event, callback):
        self.at_the_end.remove(callback)

    def end_the_cell(self):
        for callback in list(self.at_the_end):
            callback(None)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(loss_picture, "time", clock)
    return clock


@pytest.fixture
def screen(monkeypatch):
    screen = Screen()
    monkeypatch.setattr("IPython.display.display", screen.display)
    monkeypatch.setattr("IPython.get_ipython", lambda: type("Shell", (), {"kernel": None, "events": screen})())
    return screen


def test_nothing_is_shown_without_a_notebook(monkeypatch, capsys):
    watch = LossPicture()
    for step in (1, 2):
        watch(Progress(step, 2, 3.0, 100.0))
    assert watch.handle is None
    monkeypatch.setitem(sys.modules, "IPython", None)  # not installed
    watch(Progress(1, 1, 3.0, 100.0))
    assert capsys.readouterr() == ("", "")


def test_one_picture_renewed_once_a_second_and_at_the_end(clock, screen):
    watch = LossPicture()
    for step in range(1, 36):  # ten steps a second
        watch(Progress(step, 35, 4.0 - step / 10, 100.0))
        clock.now += 0.1
    assert len(screen.shown) == 1
    assert len(screen.renewed) == 4  # after 1, 2 and 3 seconds, and at the end
    (data, meta) = screen.renewed[-1]
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert data["text/plain"] == meta["image/png"]["alt"] == watch.describe()
    assert watch.describe() == "35 steps, 143k tokens read, finished in 3 s; the loss is 0.50 nats a token."


def test_drawing_takes_at_most_a_twentieth_of_the_time(clock, screen, monkeypatch):
    def slowly():
        clock.now += 2.0
        return b""

    watch = LossPicture()
    monkeypatch.setattr(watch, "to_png", slowly)
    for step in range(1, 100):
        watch(Progress(step, 1000, 4.0, 100.0))
        clock.now += 1.0
    assert len(screen.shown) + len(screen.renewed) == 1 + 2  # the next ones 40 seconds after the last


def test_what_is_left_is_told_from_the_pace_seen(clock):
    watch = LossPicture()
    assert watch.describe() == "Nothing has been learnt yet."
    watch(Progress(501, 1000, 2.0, 100.0))  # a run taken up in the middle
    assert "just begun" in watch.describe()
    clock.now += 20
    watch(Progress(511, 1000, 2.0, 100.0))
    assert watch.describe() == "step 511 of 1,000, 2.1M tokens read, about 16 min left; the loss is 2.00 nats a token."


def test_the_curve_lies_at_the_tokens_read(clock):
    watch = LossPicture()
    for step in (1, 2, 3):
        watch(Progress(step, 6, 4.0 - step, 100.0))
    (axes,) = watch.figure().axes
    line, end = axes.lines
    assert line.get_xdata().tolist() == [TOKENS_A_STEP * step for step in (1, 2, 3)]
    assert line.get_ydata().tolist() == [3.0, 2.0, 1.0]
    assert (end.get_xdata()[0], end.get_ydata()[0]) == (3 * TOKENS_A_STEP, 1.0)
    assert axes.get_xlim()[1] > 6 * TOKENS_A_STEP, "there is room for the whole run"


def test_many_steps_are_thinned_but_the_last_one_is_kept(clock):
    watch = LossPicture()
    for step in range(1, 5000):
        watch(Progress(step, 5000, 1.0, 100.0))
    drawn = watch.figure().axes[0].lines[0].get_xdata()
    assert len(drawn) < 2 * loss_picture.POINTS
    assert drawn[-1] == 4999 * TOKENS_A_STEP


def test_another_run_begins_a_picture_of_its_own(clock, screen):
    watch = LossPicture()
    for _ in range(2):
        watch(Tuned(1, 2, 3.0, 100.0, tokens=50))
        watch(Tuned(2, 2, 1.0, 100.0, tokens=90))
    assert len(screen.shown) == len(screen.renewed) == 2
    assert watch.tokens == [50, 90]


def test_pictures_are_of_one_size(clock):
    watch, sizes = LossPicture(), set()
    for step, loss in ((1, 123.456), (2, 0.01)):
        watch(Progress(step, 2, loss, 100.0))
        sizes.add(watch.to_png()[16:24])  # width and height in a PNG's header
    assert len(sizes) == 1


def test_an_interrupted_run_is_shown_as_stopped_when_its_cell_ends(clock, screen):
    watch = LossPicture()
    for step in (1, 2, 3):
        watch(Progress(step, 10, 3.0, 100.0))
        clock.now += 30.0
    assert "left" in watch.describe()
    screen.end_the_cell()
    assert "stopped after 60 s" in watch.describe()
    assert "stopped after 60 s" in screen.renewed[-1][0]["text/plain"]
    assert not screen.at_the_end
    watch(Progress(4, 10, 3.0, 100.0))
    watch(Progress(1, 10, 3.0, 100.0))  # the next run is not stopped
    assert "stopped" not in watch.describe()


def test_a_finished_run_is_not_called_stopped(clock, screen):
    watch = LossPicture()
    for step in (1, 2):
        watch(Progress(step, 2, 3.0, 100.0))
    before = len(screen.renewed)
    screen.end_the_cell()
    assert len(screen.renewed) == before
    assert "finished" in watch.describe()
