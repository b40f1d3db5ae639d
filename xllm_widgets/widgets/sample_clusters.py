"""Does it say one thing in many words, or many things? Sampled answers grouped by what they mean."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import traitlets

from xllm_widgets.widgets import palette
from xllm_widgets.widgets.base import BaseView, ViewError, module, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xllm_widgets.widgets.language import Speech

MOST = 400  # answers
_FIELDS = ("text", "logprob", "cluster")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FAINTEST, _STRONGEST = 0.14, 0.48  # opacity of the least and the most likely cluster
_DRAWN = 4  # wordings of a cluster in the picture


class SampleClusters(BaseView):
    """How sure is the model of what it means? Semantic entropy (Kuhn et al., 2023; Farquhar et al., 2024), in pieces.

    `samples`: the answers to one `prompt`, each with `text`, `logprob` (log p(answer | prompt) in nats, or None) and
    `cluster` (any number or string, one for each meaning). `names`: cluster → what it means, else its commonest
    wording. A cluster weighs its share of the answers or, with `weigh="probability"`, the probability of its different
    wordings over that of all wordings seen. Semantic entropy is −Σ p ln p over clusters, in nats. Raises ViewError for
    what is no sample, and for weighing by probability where a `logprob` is missing.
    """

    _catalogue = "sample_clusters"
    _esm = module("sample_clusters")
    _css = styles("sample_clusters")

    prompt = traitlets.Unicode("").tag(sync=True)
    samples = traitlets.List(traitlets.Dict()).tag(sync=True)
    names = traitlets.Dict(default_value={}).tag(sync=True)
    clusters = traitlets.List(traitlets.Dict()).tag(sync=True)  # the largest first
    entropy = traitlets.Dict(default_value={}).tag(sync=True)  # share, probability, wordings, most: nats
    said = traitlets.Dict(default_value={}).tag(sync=True)  # share, probability: the message as a sentence
    weigh = traitlets.Enum(["share", "probability"], default_value="share").tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)  # a cluster by its place
    title = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self, samples: Iterable[Mapping[str, Any]] = (), prompt: str = "", *, names: Mapping[Any, str] | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        named = {str(cluster): name for cluster, name in (names or {}).items()}
        given = {"prompt": prompt, "names": named, **kwargs}
        self._refuse_unknown(given)
        weigh = given.pop("weigh", "share")
        super().__init__(samples=list(samples), **given)
        self.weigh = weigh

    @traitlets.validate("samples")
    def _known_samples(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        if len(proposal["value"]) > MOST:
            raise ViewError(f"{len(proposal['value'])} answers are more than the {MOST} shown: pass fewer.")
        return [_sample(one) for one in proposal["value"]]

    @traitlets.validate("weigh")
    def _can_weigh(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] == "probability" and self.entropy.get("probability") is None:
            raise ViewError("Weighing by probability needs the `logprob` of every answer; weigh by share.")
        return str(proposal["value"])

    @traitlets.observe("samples", "names")
    def _group(self, change: dict[str, Any]) -> None:
        clusters = _clusters(self.samples, self.names)
        with self.hold_sync():
            self.entropy = _entropies(clusters, len(self.samples))
            if self.entropy["probability"] is None:
                self.weigh = "share"
            self.said = {
                weigh: _sentence(self.say, clusters, self.entropy, weigh) for weigh in ("share", "probability")
            }
            self.selected = -1
            self.clusters = clusters

    def on_select(self, callback: Callable[[int], None]) -> None:
        """Calls back with the place of each cluster chosen (-1: the choice is taken back); errors show in the view."""
        self._tell_selected(callback)

    def describe(self) -> str:
        """The message, the formula's pieces, and every cluster with its wordings."""
        head = self.title or self.say("name")
        lines = [self.say("head", name=head, prompt=self.prompt) if self.prompt else head]
        if not self.clusters:
            return "\n".join([*lines, self.say("no_answers")])
        lines += [self.said[self.weigh], formula(self.say, self.clusters, self.weigh)]
        return "\n".join([*lines, *(f"  {self._cluster_in_words(one)}" for one in self.clusters)])

    def _cluster_in_words(self, one: dict[str, Any]) -> str:
        told = [f"{a['text'].strip()!r} × {a['times']}{_nats(a['logprob'])}" for a in one["answers"]]
        return self.say(
            "cluster_line", letter=one["letter"], percent=_percent(one[self.weigh]),
            answers=self.say("answers", n=one["n"]), wordings=self.say("wordings_and").join(told),
        )  # fmt: skip

    def draw(self, figure: Figure) -> None:
        """Prompt, message, the strip of clusters, the formula, and the wordings of each."""
        from xllm_widgets.widgets._draw import Page

        page, y = Page(figure), 0.2
        for text, size, weight in ((self.title, 11, "bold"), (self.prompt, 10, "normal")):
            if text:
                y = page.paragraph(text, 0, y, page.width, size, fontweight=weight) + 0.3
        if not self.clusters:
            page.text(0, y, self.say("no_answers"))
            return page.finish(y + 0.2)
        y = page.paragraph(self.said[self.weigh], 0, y, page.width, 10, fontweight="bold") + 0.18
        self._draw_strip(page, y)
        y = page.paragraph(formula(self.say, self.clusters, self.weigh), 0, y + 0.62, page.width, 8.5) + 0.4
        for i, one in enumerate(self.clusters):
            y = self._draw_cluster(page, y, one, opacity(i, len(self.clusters))) + 0.3
        return page.finish(y)

    def _draw_strip(self, page: Any, y: float) -> None:
        x, size = 0.0, 0.34
        for i, one in enumerate(self.clusters):
            wide = page.width * one[self.weigh]
            page.box(x, y, wide - 0.02, size, (*_BLUE, opacity(i, len(self.clusters))))
            label = f"{one['letter']} {_percent(one[self.weigh])}"
            if page.measure(label, 9) < wide - 0.1:
                page.text(x + 0.07, y + 0.22, label, 9, fontweight="bold")
            x += wide

    def _draw_cluster(self, page: Any, y: float, one: dict[str, Any], alpha: float) -> float:
        muted = palette.LIGHT["muted"]
        page.box(0, y - 0.14, 0.2, 0.19, (*_BLUE, alpha))
        page.text(0.1, y, one["letter"], 9, ha="center", fontweight="bold")
        weight = f"{_percent(one[self.weigh])}   {self.say('answers', n=one['n'])}"
        page.text(0.3, y, weight, 9, fontweight="bold")
        for answer in one["answers"][:_DRAWN]:
            label = f"{answer['times']} × "
            page.text(1.95, y, label, 8.5, muted)
            words = f"{answer['text'].strip()}   {_nats(answer['logprob']).strip()}"
            y = page.paragraph(words, 1.95 + page.measure(label, 8.5), y, page.width - 2.4, 9) + 0.2
        left = len(one["answers"]) - _DRAWN
        if left > 0:
            page.text(1.95, y, self.say("more_wordings_drawn", n=left), 8, muted)
        return y - 0.2 * (left <= 0)


_BLUE = palette.hex_rgb(palette.SIZE_RAMP[3])


def opacity(place: int, n: int) -> float:
    """How strong the ground of a cluster is: the largest cluster the strongest."""
    return _STRONGEST - (_STRONGEST - _FAINTEST) * (place / max(1, n - 1))


def formula(say: Speech, clusters: list[dict[str, Any]], weigh: str) -> str:
    """Semantic entropy as the sum that it is, a piece a cluster."""
    terms = [_term(one[weigh]) for one in clusters]
    pieces = " + ".join(f"{term:.2f} ({one['letter']})" for term, one in zip(terms, clusters, strict=True))
    return f"−Σ p ln p = {pieces} = {sum(terms):.2f} {say('nats')}"


def _term(p: float) -> float:
    return -p * math.log(p) if p > 0 else 0.0


def _sample(given: Mapping[str, Any]) -> dict[str, Any]:
    """An answer as plain JSON with exactly the fields shown, or a sentence on what is wrong with it."""
    missing = [name for name in _FIELDS if name not in given]
    if missing:
        raise ViewError(f"A sample lacks {', '.join(missing)}: it needs {', '.join(_FIELDS)}.")
    logprob = None if given["logprob"] is None else float(given["logprob"])
    if logprob is not None and not logprob <= 0:
        raise ViewError(f"{logprob} is no log-probability of an answer: it is 0 or below, in nats.")
    return {"text": str(given["text"]), "logprob": logprob, "cluster": str(given["cluster"])}


def _clusters(samples: list[dict[str, Any]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Of each cluster its letter, name, wordings, number of answers, share and probability; the largest first."""
    sizes = Counter(sample["cluster"] for sample in samples)
    made = []
    for place, (cluster, n) in enumerate(sizes.most_common()):
        answers = _wordings([sample for sample in samples if sample["cluster"] == cluster])
        letter = _LETTERS[place] if place < len(_LETTERS) else str(place + 1)
        made.append({
            "cluster": cluster, "letter": letter, "name": names.get(cluster, answers[0]["text"].strip()), "n": n,
            "answers": answers, "share": n / len(samples), "probability": None,
        })  # fmt: skip
    for one, probability in zip(made, _probabilities(made), strict=False):
        one["probability"] = probability
    return made


def _wordings(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The different texts among some answers, the most frequent first."""
    logprobs = {sample["text"]: sample["logprob"] for sample in reversed(samples)}
    times = Counter(sample["text"] for sample in samples)
    return [{"text": text, "times": n, "logprob": logprobs[text]} for text, n in times.most_common()]


def _probabilities(clusters: list[dict[str, Any]]) -> list[float]:
    """Σ of p over the wordings of each cluster, as a share of all; nothing where a log-probability is missing."""
    logprobs = [[answer["logprob"] for answer in one["answers"]] for one in clusters]
    every = [value for row in logprobs for value in row]
    if not every or None in every:
        return []
    top = max(every)
    if top == -math.inf:
        return []
    masses = [sum(math.exp(value - top) for value in row) for row in logprobs]
    return [mass / sum(masses) for mass in masses]


def _entropies(clusters: list[dict[str, Any]], n: int) -> dict[str, float | None]:
    """Of the meanings by share and by probability, of the wordings by share, and the most that n answers can have."""
    wordings = [answer["times"] / n for one in clusters for answer in one["answers"]]
    probabilities = [one["probability"] for one in clusters]
    known = bool(clusters) and None not in probabilities
    return {
        "share": sum(_term(one["share"]) for one in clusters), "wordings": sum(map(_term, wordings)),
        "probability": sum(map(_term, probabilities)) if known else None, "most": math.log(n) if n else 0.0,
    }  # fmt: skip


def _sentence(say: Speech, clusters: list[dict[str, Any]], entropy: Mapping[str, Any], weigh: str) -> str:
    """The message: how many answers, wordings and meanings, and how much uncertainty that is."""
    if not clusters or entropy[weigh] is None:
        return ""
    counts = {
        "answers": say("answers", n=sum(one["n"] for one in clusters)),
        "wordings": say("wordings", n=sum(len(one["answers"]) for one in clusters)),
        "meanings": say("meanings_counted", n=len(clusters)),
    }
    if len(clusters) == 1:
        return say("sure", **counts)
    return say("unsure", **counts, entropy=f"{entropy[weigh]:.2f}", alike=f"{math.exp(entropy[weigh]):.1f}")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _nats(logprob: float | None) -> str:
    return "" if logprob is None else f" ln p {logprob:.2f}".replace("-", "−")
