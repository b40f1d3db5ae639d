"""The faithfulness duel: who names the step, or the word, that the answer rests on? A deletion test settles it.

The student, attention, gradient and occlusion each name one piece of the text. Then every piece is cut out of the text
in turn, and the one whose loss costs the answer most log-probability is the decisive one. Occlusion puts a mean
embedding in the piece's place, which is close to cutting it out: expect it to do well, and ask of the others whether
they come near it. A candidate that names at random is the control.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from xllm_widgets.errors import MissingSight, XllmError
from xllm_widgets.studies import statistics
from xllm_widgets.studies.solutions import Solution, render_steps, step_spans

if TYPE_CHECKING:
    import pandas as pd

CANDIDATES = ("attention", "gradient", "occlusion")
CHANCE = "a random piece"
Unit = Literal["step", "word"]


@dataclass(frozen=True)
class Piece:
    """A stretch of the prompt that can be named: its text and characters start … end."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Duel:
    """How a duel went.

    prompt, pieces, target: what was asked. drops: (pieces,) fall of log p(target) in nats when the piece is cut out.
    table: one row a candidate: candidate, piece (its number), text, drop (nats), credit (its drop as a share of the
    largest, 0 … 1), won (named the decisive piece, or one that costs as much), chance (a random name's expected share).
    """

    prompt: str
    target: str
    pieces: tuple[Piece, ...]
    drops: np.ndarray
    table: pd.DataFrame

    @property
    def decisive(self) -> int:
        """Number of the piece whose loss costs most."""
        return int(self.drops.argmax())

    def describe(self) -> str:
        """The outcome in words."""
        names = [f"{row.candidate} named {row.text!r} ({row.drop:+.2f} nats)" for row in self.table.itertuples()]
        return f"Decisive is {self.pieces[self.decisive].text!r}, {self.drops.max():+.2f} nats; {'; '.join(names)}."


def duel(
    lm: Any,
    solution: Solution,
    *,
    student: int | None = None,
    unit: Unit = "step",
    demonstrations: Sequence[Solution] = (),
    target: str | None = None,
) -> Duel:
    """Let the student, attention, gradient and occlusion each name the piece that the answer rests on.

    student: number of the piece the student names, of `pieces_of(...)`; None if there is no student. unit: the pieces
    are the steps, or the words and numbers of question and steps. target: the answer to explain; left out, the
    solution's own. Needs log-probabilities, activations (for attention) and gradients.

    Raises MissingSight for a model without them, XllmError for fewer than two pieces or one that does not exist.
    """
    missing = sorted({"logprobs", "activations", "gradients"} - set(lm.sights))
    if missing:
        raise MissingSight(f"A duel needs {' and '.join(missing)}, which {lm.name} does not offer; load a local model.")
    prompt, pieces = pieces_of(solution, unit, demonstrations)
    wanted = f" {target if target is not None else solution.answer}."
    named = nominations(lm, prompt, pieces, wanted)
    if student is not None:
        if not 0 <= student < len(pieces):
            raise XllmError(f"There is no piece {student}; there are {len(pieces)}, numbered from 0.")
        named = {"student": student, **named}
    drops = deletion_test(lm, prompt, pieces, wanted)
    return Duel(prompt, wanted, tuple(pieces), drops, scored(named, drops, [piece.text for piece in pieces]))


def pieces_of(
    solution: Solution, unit: Unit = "step", demonstrations: Sequence[Solution] = ()
) -> tuple[str, list[Piece]]:
    """The prompt, up to "The answer is", and the pieces of it that can be named.

    Raises XllmError where there are fewer than two: there would be nothing to choose.
    """
    if unit not in ("step", "word"):
        raise XllmError(f'There is no unit {unit!r}; pieces are "step" or "word".')
    prompt = render_steps(demonstrations, solution, concluding=True)
    spans = step_spans(prompt, solution)
    if unit == "word":
        start = prompt.rindex(solution.question)
        zones = [(start, start + len(solution.question)), *spans]
        spans = [(a + m.start(), a + m.end()) for a, b in zones for m in re.finditer(r"\w[\w'’-]*", prompt[a:b])]
    if len(spans) < 2:
        raise XllmError(f"A duel needs at least two {unit}s to choose between; take a longer solution.")
    return prompt, [Piece(prompt[a:b], a, b) for a, b in spans]


def nominations(lm: Any, prompt: str, pieces: Sequence[Piece], target: str) -> dict[str, int]:
    """Candidate → number of the piece with its highest score.

    attention: mass from the last token on the piece, mean over layers and heads. gradient: |gradient × input| summed
    over the piece's tokens. occlusion: fall of log p(target) with the piece's embeddings replaced by the mean one.
    """
    tokens = lm.tokens(prompt)
    ranges = [tokens.covering(piece.start, piece.end) for piece in pieces]
    mass = lm.attention(prompt, segments=[(piece.start, piece.end) for piece in pieces])
    gradient = np.abs(lm.attribute(prompt, target, method="gradient_x_input").scores[0])
    occluded = lm.attribute(prompt, target, method="occlusion", groups=ranges).group_scores[0]
    scores = {
        "attention": np.asarray(mass)[:, :, -1].mean(axis=(0, 1)),
        "gradient": np.array([gradient[a:b].sum() for a, b in ranges]),
        "occlusion": np.asarray(occluded),
    }
    return {candidate: int(scores[candidate].argmax()) for candidate in CANDIDATES}


def deletion_test(lm: Any, prompt: str, pieces: Sequence[Piece], target: str) -> np.ndarray:
    """(pieces,): log p(target | prompt) minus log p(target | the prompt without the piece), nats."""
    prompts = [prompt, *(without(prompt, piece) for piece in pieces)]
    logprobs = np.asarray(lm.logprobs(prompts, [target]))[:, 0]
    return logprobs[0] - logprobs[1:]


def without(prompt: str, piece: Piece) -> str:
    """The prompt with the piece cut out, and one of the two spaces that would meet there."""
    before, after = prompt[: piece.start], prompt[piece.end :]
    return before[:-1] + after if before.endswith(" ") and after[:1] in (" ", ".", ",", "?") else before + after


def scored(named: Mapping[str, int], drops: np.ndarray, texts: Sequence[str]) -> pd.DataFrame:
    """A row for each candidate; see `Duel.table`. Where no piece costs anything, nobody wins and credit is 0."""
    import pandas as pd

    best = float(np.max(drops))
    rows = []
    for candidate, piece in named.items():
        drop = float(drops[piece])
        rows.append(
            {"candidate": candidate, "piece": piece, "text": texts[piece], "drop": drop,
             "credit": max(0.0, drop / best) if best > 0 else 0.0, "won": best > 0 and drop >= best - 1e-9,
             "chance": float(np.mean(drops >= best - 1e-9)) if best > 0 else 0.0}
        )  # fmt: skip
    return pd.DataFrame(rows, columns=["candidate", "piece", "text", "drop", "credit", "won", "chance"])


def scoreboard(duels: Sequence[Duel]) -> pd.DataFrame:
    """Over many duels, the best first: candidate, wins, n, share, low, high (Wilson, 95 %), mean credit; and, as the
    control, what naming a piece at random would have won. Raises XllmError without a duel."""
    import pandas as pd

    if not duels:
        raise XllmError("There is no duel yet; name a step first.")
    table = pd.concat([one.table for one in duels], ignore_index=True)
    rows = []
    for candidate, group in table.groupby("candidate", sort=False):
        share = statistics.wilson(int(group["won"].sum()), len(group))
        rows.append({"candidate": candidate, "wins": int(group["won"].sum()), "n": len(group), "share": share.estimate,
                     "low": share.low, "high": share.high, "credit": float(group["credit"].mean())})  # fmt: skip
    chance = [float(one.table["chance"].iloc[0]) for one in duels]
    luck = [float(np.clip(one.drops / one.drops.max(), 0, 1).mean()) if one.drops.max() > 0 else 0.0 for one in duels]
    rows.sort(key=lambda row: (-row["share"], -row["credit"]))
    rows.append({"candidate": CHANCE, "wins": sum(chance), "n": len(duels), "share": float(np.mean(chance)),
                 "low": float("nan"), "high": float("nan"), "credit": float(np.mean(luck))})  # fmt: skip
    return pd.DataFrame(rows)
