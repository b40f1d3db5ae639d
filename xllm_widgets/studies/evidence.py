"""What a study hands back: the observations, the claims with their verdicts, the control, and where they came from."""

from __future__ import annotations

import json
import math
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xllm_widgets.errors import XllmError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

GLYPHS = {"shown": "●", "not shown": "○", "reversed": "⟲"}
WORDS = {verdict: f"{glyph} {verdict} here" for verdict, glyph in GLYPHS.items()}


def judge(
    estimate: float,
    low: float,
    high: float,
    *,
    threshold: float,
    null: float,
    control: float | None = None,
    claim: str = "at least",
) -> str:
    """The one rule that turns numbers into a verdict, fixed before any model was measured.

    A claim says that the truth is `at least` or `at most` the threshold, or `different` from the null. `null` is the
    value if nothing were going on (chance, or zero for a difference); `control` is the same measure under the control.

    - `shown`: the estimate meets the threshold, the whole 95 % interval lies on the claimed side of the null, and,
      where a control was measured, on the claimed side of the control as well.
    - `reversed`: the whole interval lies on the other side of the null.
    - `not shown`: everything else, an estimate that is not a number included.

    For a difference from a null, threshold and null coincide, so `shown` means that the whole interval is beyond it.
    For an accuracy the estimate must reach the threshold and the interval must exclude chance and the control.
    A claim of mere difference is shown on either side of the null if it is larger in size than the control's.
    """
    if not all(map(math.isfinite, (estimate, low, high))):
        return "not shown"
    if claim == "different":
        beyond = low > null or high < null
        stronger = control is None or abs(estimate - null) > abs(control - null)
        return "shown" if beyond and stronger else "not shown"
    if claim == "at most":
        flipped_control = None if control is None else -control
        return judge(-estimate, -high, -low, threshold=-threshold, null=-null, control=flipped_control)
    if high < null:
        return "reversed"
    beats_control = control is None or not math.isfinite(control) or low > control
    return "shown" if estimate >= threshold and low > null and beats_control else "not shown"


@dataclass(frozen=True)
class Claim:
    """One sentence that a study can show, with the numbers that decide it; the fields of `xllm claims --json`.

    `null` and `kind` (`judge`'s `claim`) are what else decided it: with them the verdict can be found again when the
    same claim, measured several times, is pooled. None where they were not told.
    """

    study: str
    section: str
    paper: str
    model: str
    statement: str
    estimate: float
    low: float
    high: float
    n: int
    seeds: int
    threshold: float
    control: float | None
    verdict: str
    null: float | None = None
    kind: str = "at least"

    @property
    def glyph(self) -> str:
        """● shown, ○ not shown, ⟲ reversed."""
        return GLYPHS[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """The fields of `xllm claims --json` as plain JSON values; a number that does not exist is null."""
        return {name: value for name, value in self.to_record().items() if name not in ("null", "kind")}

    def to_record(self) -> dict[str, Any]:
        """Every field, as evidence keeps it."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Claim:
        numbers = {name: float("nan") for name in ("estimate", "low", "high", "threshold") if fields[name] is None}
        return cls(**{**fields, **numbers})

    def __str__(self) -> str:
        interval = f"{self.estimate:.2f} [{self.low:.2f}, {self.high:.2f}]"
        control = "" if self.control is None else f", control {self.control:.2f}"
        return f"{WORDS[self.verdict]}: {self.statement} ({self.model}: {interval}, n = {self.n}{control})"


@dataclass
class Evidence:
    """The result of a study.

    - `table`: pandas, one observation a row;
    - `claims`: what was claimed and how it came out;
    - `control`: the same measure under the null, pandas;
    - `plot()`: the picture, a matplotlib Figure; `to_json()`, `save()`: everything, readable by any program;
    - `provenance`: model, hash of its weights, knobs, package version, date.
    """

    study: str
    section: str
    paper: str
    question: str
    table: pd.DataFrame
    claims: list[Claim]
    control: pd.DataFrame
    knobs: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)

    def plot(self) -> Figure:
        """The picture of this evidence; drawn afresh from the table, so that recorded evidence looks like new."""
        from xllm_widgets.studies import figures

        return figures.draw(self)

    def to_png(self) -> bytes:
        """The picture as PNG bytes."""
        from xllm_widgets.studies import figures

        return figures.to_png(self.plot())

    def describe(self) -> str:
        """Question, verdicts and notes in words: what a screen reader or a plain terminal shows."""
        lines = [f"{self.study} · section {self.section} · {self.paper}", self.question]
        lines += [f"  {claim}" for claim in self.claims]
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])

    def to_json(self) -> str:
        """Everything as JSON: tables column by column, numbers that do not exist as null."""
        parts = {name: getattr(self, name) for name in ("study", "section", "paper", "question", "notes")}
        parts |= {"knobs": _plain(self.knobs), "provenance": _plain(self.provenance)}
        parts["claims"] = [claim.to_record() for claim in self.claims]
        parts |= {"table": _columns(self.table), "control": _columns(self.control)}
        return json.dumps(parts, ensure_ascii=False, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Evidence:
        """The inverse of `to_json`. Raises XllmError when the text is not recorded evidence."""
        import pandas as pd

        try:
            parts = json.loads(text)
            parts["claims"] = [Claim.from_dict(fields) for fields in parts["claims"]]
            parts |= {name: pd.DataFrame(parts[name]) for name in ("table", "control")}
            return cls(**parts)
        except (ValueError, KeyError, TypeError) as reason:
            raise XllmError(f"This is not recorded evidence ({reason}); record it again with its study.") from reason

    def save(self, path: str | Path) -> Path:
        """Write the evidence as JSON in one step: a reader sees the old file or the new one, never half of one."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(self.to_json() + "\n")
            os.chmod(draft, 0o644)
            os.replace(draft, path)
        except BaseException:
            os.unlink(draft)
            raise
        return path

    @classmethod
    def load(cls, path: str | Path) -> Evidence:
        """Read what `save` wrote. Raises XllmError when the file is missing or is not evidence."""
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except OSError as reason:
            raise XllmError(f"No recorded evidence at {path}; record it with its study's .save(path).") from reason

    def __repr__(self) -> str:
        return self.describe()

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Picture and words, no HTML: an `image/png` is what GitHub, nbviewer and an untrusted notebook all show."""
        import base64

        data = {"text/plain": self.describe(), "image/png": base64.b64encode(self.to_png()).decode()}
        return data, {"image/png": {"alt": self.describe()}}


def recorded(study: str) -> Evidence:
    """The evidence that was shipped for a study, drawn and read like fresh evidence: a picture before anything runs.

    Raises XllmError, naming what there is, where none was recorded.
    """
    from xllm_widgets.paths import evidence_dir

    path = evidence_dir() / f"{study}.json"
    if not path.is_file():
        known = ", ".join(sorted(other.stem for other in evidence_dir().glob("*.json"))) or "none"
        raise XllmError(f"No evidence was recorded for {study!r}, only for: {known}; run the study itself.")
    return Evidence.load(path)


def _columns(table: pd.DataFrame) -> dict[str, list]:
    return {str(name): [_plain(value) for value in table[name].tolist()] for name in table.columns}


def _plain(value: Any) -> Any:
    """A value as JSON knows it: numpy scalars become numbers, NaN null, tuples lists; the rest its text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool | int | str | None) else str(value)
