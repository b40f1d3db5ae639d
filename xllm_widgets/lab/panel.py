"""The control panel of any study, built from its signature: settings, cost, run, stop, verdicts, picture, code."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ipywidgets

from xllm_widgets.classroom import journal, predictions
from xllm_widgets.errors import XllmError
from xllm_widgets.lab.access import PANEL, Access
from xllm_widgets.lab.controls import control
from xllm_widgets.lab.demonstrations import demonstration_lab
from xllm_widgets.lab.durations import in_words, measured
from xllm_widgets.studies import progress, registry
from xllm_widgets.widgets.claim_cards import ClaimCards
from xllm_widgets.widgets.language import speech

if TYPE_CHECKING:
    from xllm_widgets.models.language_model import LanguageModel
    from xllm_widgets.studies.evidence import Evidence
    from xllm_widgets.widgets.language import Speech
    from xllm_widgets.widgets.prediction_card import PredictionCard

EDITORS = {"contrastive_demonstrations": demonstration_lab}
"""Studies whose panel begins with something to touch."""

QUICK = 20_000_000
"""Parameters up to which the cost is measured before it is asked for: the first part then takes about a second."""

_BAR, _PICTURE = "xw-panel-bar", "xw-panel-picture"  # classes, by which `Access` finds them

BLINK = 0.2  # seconds between two looks at a running study


@dataclass
class Job:
    """One run of a study: what it was asked, how far it is, how it ended. Written by the worker, read by the panel."""

    knobs: dict[str, Any]
    started: float = field(default_factory=time.monotonic)
    done: int = 0
    total: int = 0
    stop: bool = False
    evidence: Evidence | None = None
    error: str = ""
    seconds: float = 0.0

    def report(self, stage: str, done: int, total: int) -> None:
        self.done, self.total = done, total

    def in_words(self, say: Speech) -> str:
        """Parts done, and the time that the rest will take at the same speed."""
        if not self.done:
            return say("starting")
        left = (time.monotonic() - self.started) / self.done * (self.total - self.done)
        told = {"done": self.done, "total": self.total, "time": in_words(say, left)}
        return say("part_of_stopping" if self.stop else "part_of", **told)


class Lab(ipywidgets.VBox):
    """A study's control panel. `run()` does from Python what the button does; `.evidence` is the last result."""

    _ipython_display_ = None  # ipywidgets 7 (Colab) would display before the mime bundle below is asked for

    def __init__(
        self,
        study: Callable[..., Evidence],
        lm: LanguageModel,
        *,
        prediction: PredictionCard | None = None,
        outcome: Callable[[Evidence], Any] | None = None,
        **knobs: Any,
    ) -> None:
        self.study, self.lm, self.info = study, lm, study.info  # type: ignore[attr-defined]
        self.say = speech("lab")
        settings = registry.check_call(self.info, lm, knobs)
        self.controls = [control(knob, settings[knob.name]) for knob in self.info.knobs]
        self.prediction, self.outcome = prediction, outcome or first_claim
        if prediction is not None:
            predictions.watch(prediction)
        self.evidence: Evidence | None = None
        self.job: Job | None = None
        self._seconds_a_trial: dict[str, float] = {}
        self._build()
        super().__init__(children=self._parts())
        self.add_class(PANEL)
        self._settings_changed()

    def run(self) -> Evidence | None:
        """Run the study with the settings shown; Ctrl-C keeps what was finished. What went wrong is in `.said`."""
        job = self._start()
        if job is not None:
            self._work(job, self._show_progress)
            self._finish(job)
        return self.evidence

    def stop(self) -> None:
        """End the run under way after its current part; what was finished is kept."""
        if self.job is not None:
            self.job.stop = True

    @property
    def said(self) -> str:
        """The sentence under the buttons: what went wrong, or where the run stands."""
        return self.status.value

    def describe(self) -> str:
        """Question, settings and, after a run, every verdict, in words."""
        if self.evidence is not None:
            return self.evidence.describe()
        settings = ", ".join(f"{each.name} {each.read()!r}" for each in self.controls)
        return self.say(
            "described", study=self.info.name, section=self.info.section, question=self.info.question,
            model=self.lm.name, settings=settings,
        )  # fmt: skip

    def _build(self) -> None:
        self.cost, self.status = ipywidgets.Label(""), ipywidgets.Label("")
        self.run_button = ipywidgets.Button(description=self.say("run"), button_style="primary")
        self.stop_button = ipywidgets.Button(description=self.say("stop_run"), disabled=True)
        self.bar = ipywidgets.IntProgress(min=0, max=1, value=0, layout={"width": "340px", "display": "none"})
        self.cards = ClaimCards()
        self.picture = ipywidgets.Image(format="png", layout={"display": "none", "max_width": "820px"})
        for part, name in ((self.bar, _BAR), (self.picture, _PICTURE)):
            part.add_class(name)
        self.access = Access(layout={"display": "none"})
        self.access.give(_BAR, role="progressbar", aria_label=self.say("progress"))
        self.shows_control = ipywidgets.Checkbox(value=True, description=self.say("show_control"), indent=False)
        self.run_button.on_click(lambda _: self._clicked())
        self.stop_button.on_click(lambda _: self.stop())
        self.shows_control.observe(lambda _: self._show_claims(), names="value")
        for each in self.controls:
            each.input.observe(lambda _: self._settings_changed(), names="value")

    def _parts(self) -> list[ipywidgets.Widget]:
        editor = [EDITORS[self.info.name](self.lm)] if self.info.name in EDITORS else []
        told = {"question": self.info.question, "paper": self.info.paper, "model": self.lm.name}
        question = ipywidgets.Label(self.say("question", **told))
        inputs = ipywidgets.HBox([each.input for each in self.controls], layout={"flex_flow": "row wrap"})
        buttons = ipywidgets.HBox([self.run_button, self.stop_button, self.cost])
        how_far = ipywidgets.HBox([self.bar, self.status])
        below = [how_far, self.shows_control, self.cards, self.picture, self.access]
        return [*editor, question, inputs, *filter(None, [self.prediction]), buttons, *below]

    def _knobs(self) -> dict[str, Any]:
        return {each.name: each.read() for each in self.controls}

    # --- Cost ---

    def _settings_changed(self) -> None:
        """Cost and code follow the settings."""
        try:
            knobs = self._knobs()
            self.cards.code = registry.code(self.study, self.lm.name, knobs)
            self.status.value = ""
            self.cost.value = self._cost(knobs)
        except XllmError as wrong:
            self.status.value, self.cost.value = str(wrong), ""

    def _cost(self, knobs: dict[str, Any]) -> str:
        trials, kind = knobs.get("trials", 1), _kind(knobs)
        if kind not in self._seconds_a_trial:
            if self.lm.n_parameters > QUICK:
                return self.say("cost_unknown")
            seconds = registry.estimate_seconds(self.study, self.lm, parts=1, **knobs)
            self._seconds_a_trial[kind] = seconds / trials
        return self.say("cost", time=in_words(self.say, self._seconds_a_trial[kind] * trials))

    def _show_cost(self, job: Job) -> None:
        """What the run took; a whole one says what the next will take, for a model of any size."""
        self.cost.value = self.say("took", time=measured(self.say, job.seconds))
        if not job.stop:
            self._seconds_a_trial[_kind(job.knobs)] = job.seconds / job.knobs.get("trials", 1)

    # --- Run ---

    def _clicked(self) -> None:
        """In a notebook a thread does the work, so that Stop is heard; only the kernel's own loop touches the views."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.run()
            return
        job = self._start()
        if job is not None:
            worker = threading.Thread(target=self._work, args=(job,), daemon=True)
            worker.start()
            self._following = loop.create_task(self._follow(job, worker))

    def _start(self) -> Job | None:
        if self.job is not None:
            self.status.value = self.say("running_already")
            return None
        if self.prediction is not None and not self.prediction.locked:
            self.status.value = self.say("predict_first")
            return None
        try:
            self.job = Job(self._knobs())
        except XllmError as wrong:
            self.status.value = str(wrong)
            return None
        self.run_button.disabled, self.stop_button.disabled = True, False
        self.bar.value, self.bar.layout.display = 0, None
        self.status.value = self.job.in_words(self.say)
        return self.job

    def _work(self, job: Job, show: Callable[[Job], None] = lambda job: None) -> None:
        def report(stage: str, done: int, total: int) -> None:
            job.report(stage, done, total)
            show(job)

        try:
            with progress.watch(report, lambda: job.stop):
                job.evidence = self.study(self.lm, **job.knobs)
        except KeyboardInterrupt:
            job.error = self.say("stopped_early")
        except XllmError as wrong:
            job.error = str(wrong)
        except Exception as wrong:
            job.error = self.say("not_computable", why=f"{type(wrong).__name__}: {wrong}")
        job.seconds = time.monotonic() - job.started

    async def _follow(self, job: Job, worker: threading.Thread) -> None:
        while worker.is_alive():
            self._show_progress(job)
            await asyncio.sleep(BLINK)
        self._finish(job)

    def _show_progress(self, job: Job) -> None:
        self.bar.max, self.bar.value = max(1, job.total), job.done
        self.access.give(_BAR, aria_valuemax=str(self.bar.max), aria_valuenow=str(job.done))
        self.status.value = job.in_words(self.say)

    def _finish(self, job: Job) -> None:
        self.job = None
        self.run_button.disabled, self.stop_button.disabled = False, True
        self.bar.layout.display = "none"
        self.status.value = job.error
        if job.evidence is None:
            return
        self.evidence = job.evidence
        self._show_cost(job)
        try:
            self._show_evidence(job.evidence)
        except XllmError as wrong:
            self.status.value = str(wrong)

    # --- Result ---

    def _show_evidence(self, evidence: Evidence) -> None:
        said = journal.record(
            "run", study=evidence.study, model=self.lm.name, knobs=evidence.knobs,
            claims=[claim.to_dict() for claim in evidence.claims],
        )  # fmt: skip
        self.status.value = " · ".join(filter(None, [*evidence.notes, said]))
        self._show_claims()
        self.access.give(_PICTURE, alt=evidence.describe())
        self.picture.value, self.picture.layout.display = evidence.to_png(), None
        if self.prediction is not None:
            self.prediction.score(self.outcome(evidence))

    def _show_claims(self) -> None:
        if self.evidence is None:
            return
        hidden = {} if self.shows_control.value else {"control": None}
        self.cards.claims = [claim.to_dict() | hidden for claim in self.evidence.claims]

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live panel, and words and picture for wherever widgets do not run."""
        words = self.describe()
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        data = {"application/vnd.jupyter.widget-view+json": view, "text/plain": words}
        if self.evidence is None:
            return data, {}
        return data | {"image/png": base64.b64encode(self.picture.value).decode()}, {"image/png": {"alt": words}}


def lab(
    study: Callable[..., Evidence] | str,
    lm: LanguageModel,
    *,
    prediction: PredictionCard | None = None,
    outcome: Callable[[Evidence], Any] | None = None,
    **knobs: Any,
) -> Lab:
    """The control panel of a study on a model: its settings, what they cost, run, stop, verdicts, picture, code.

    `study`: the function or its name. `knobs`: settings to begin with. With a `prediction` card the run waits for its
    lock, and `outcome(evidence)` is what the card is scored with (default: the first claim's verdict for a card with
    options, else its estimate). Raises XllmError for an unknown study or setting, MissingSight for a model that lacks
    what the study needs.

    Every run is written into the lab journal with its knobs and claims (`classroom.stop_journal()` opts out).
    """
    name = study if isinstance(study, str) else getattr(study, "__name__", str(study))
    info = registry.find(name)
    function = study if hasattr(study, "info") else registry.run_of(info)
    scoring = outcome or (first_verdict if prediction is not None and prediction.options else first_claim)
    return Lab(function, lm, prediction=prediction, outcome=scoring, **knobs)  # type: ignore[arg-type]


def _kind(knobs: dict[str, Any]) -> str:
    """Runs of one kind differ in nothing but their trials."""
    return repr({name: value for name, value in knobs.items() if name != "trials"})


def first_claim(evidence: Evidence) -> float:
    """The estimate of the first claim."""
    return evidence.claims[0].estimate


def first_verdict(evidence: Evidence) -> str:
    """The verdict of the first claim: shown, not shown, or reversed."""
    return evidence.claims[0].verdict
