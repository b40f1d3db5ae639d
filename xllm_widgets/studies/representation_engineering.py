"""Chapter 03, representation engineering: what stands in the stream, and does the model act on it?

Survey section 4.1.3: Zou et al. (2023, arXiv 2310.01405), Marks & Tegmark (2023, arXiv 2310.06824) and Gurnee & Tegmark
(2023, arXiv 2310.02207). Each study reads, or pushes, and says what its null finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from xllm_widgets.studies import representation_control as dial
from xllm_widgets.studies import representation_neurons as neurons
from xllm_widgets.studies import representation_reading as reading
from xllm_widgets.studies import representation_space as space
from xllm_widgets.studies import representation_truth as truth
from xllm_widgets.studies import representation_truth_causes as causes
from xllm_widgets.studies.evidence import Claim, Evidence
from xllm_widgets.studies.registry import Between, find, study
from xllm_widgets.studies.representation_items import draw_facts, voice_for

if TYPE_CHECKING:
    import pandas as pd

SECTION = "4.1.3"
ZOU, MARKS, GURNEE = "Zou et al., 2023", "Marks & Tegmark, 2023", "Gurnee & Tegmark, 2023"
LOOK = {"logprobs", "activations"}

Where = Literal["chosen", "speaker", "statement", "everywhere"]


@study(
    section=SECTION,
    paper=ZOU,
    question="Can honest and lying speakers be told apart inside the model, and where?",
    needs={"activations"},
)
def reading_vectors(
    lm,
    *,
    trials: Annotated[int, Between(20, 240, 20)] = 60,
    shuffles: Annotated[int, Between(2, 50, 2)] = 10,
    seed: Annotated[int, Between(0, 99)] = 0,
    data: Any = None,
) -> Evidence:
    """Linear artificial tomography: honest against lying, read at every layer and place of a sentence.

    The two members of a pair hold the same statement, cut before the word that decides it; only the speaker differs. A
    direction is fitted on `trials` pairs (difference PCA, mean difference, logistic), layer and place are chosen on
    others, within the statement and at least three tokens behind the speaker word, and accuracy is that on `trials`
    held-out pairs: subjects of which no speech ever told, and a speaker word that was not fitted on.
    `table`: one row per method, layer and token (place): validation, accuracy, low, high, n, distance from the speaker
    word, chosen. `control`: pairs shuffled before the fit (`shuffles` times), and the speaker word masked.
    `data`: None for the world's facts, or a table with the columns stem, true, false.
    """
    pairs = reading.read_pairs(lm, trials, seed, data)
    table = reading.scan(pairs)
    control = reading.nulls(pairs, table, shuffles, seed)
    return _evidence("reading_vectors", table, reading.reading_claims(lm, table, control), control)


@study(
    section=SECTION,
    paper=ZOU,
    question="Can a direction turn a liar honest, and an honest speaker into a liar?",
    needs=LOOK,
)
def control_vectors(
    lm,
    *,
    where: Where = "chosen",
    layers: Sequence[int] | None = None,
    trials: Annotated[int, Between(10, 200, 10)] = 40,
    texts: Annotated[int, Between(4, 60, 2)] = 12,
    randoms: Annotated[int, Between(1, 10)] = 3,
    seed: Annotated[int, Between(0, 99)] = 0,
    data: Any = None,
) -> Evidence:
    """Add honest-minus-lying to the stream and see where P(true) goes, and what it costs.

    P(true) is the share of the true ending among all endings of a statement on an unseen subject. `where` the push
    goes, at which `layers` and how hard is chosen on other facts and texts (`choose_setting`), or fixed by these knobs.
    `table`: measure (P(true), perplexity cost), item, kind, speaker, direction, notch (of the dial), strength (residual
    norms a layer, signed), value, where. `control`: the same with `randoms` random directions of equal norm.
    `data`: None for the world's facts, or a table with the columns stem, true, false.
    """
    import pandas as pd

    pairs = reading.read_pairs(lm, trials, seed, data, splits=("fit",))
    few, many = dial.held_out_texts(texts, seed)
    voice = voice_for(lm)
    tried = dial.asks_of(lm, voice, draw_facts(lm, 12, "train", "validate", seed, data), seed, test=False)
    places = tuple(dial.WHERE) if where == "chosen" else (where,)
    setting, vector = dial.choose_setting(lm, pairs, tried, few, places, layers)
    asks = dial.asks_of(lm, voice, draw_facts(lm, trials, "test", "test", seed, data), seed, test=True)
    measured = dial.measure_dial(lm, asks, setting, vector, randoms, seed)
    cost = dial.measure_cost(lm, many, asks[0].tokens[setting.where], setting, vector, randoms, seed)
    rows = pd.concat([measured, cost], ignore_index=True).assign(where=setting.where)
    table, control = (
        rows[rows["direction"].str.startswith(name)].reset_index(drop=True) for name in ("concept", "random")
    )
    evidence = _evidence("control_vectors", table, dial.control_claims(lm, table, control), control)
    evidence.notes.append(setting.describe())
    return evidence


@study(
    section=SECTION,
    paper=MARKS,
    question="Is truth a direction that carries over from one kind of statement to another?",
    needs=LOOK,
)
def truth_directions(
    lm,
    *,
    trials: Annotated[int, Between(20, 400, 20)] = 60,
    shuffles: Annotated[int, Between(2, 50, 2)] = 10,
    randoms: Annotated[int, Between(1, 10)] = 3,
    seed: Annotated[int, Between(0, 99)] = 0,
    data: Any = None,
) -> Evidence:
    """Train truth probes on one set of statements, test on all others; then push along them and ask for the verdict.

    The stream is read in two places, each set centred on its own mean: at the statement's last token and, after the
    question for the verdict, at the token in front of it. `table`: place, measure (accuracy of a probe `trained_on` one
    set on held-out statements of the set `tested_on`; NIE, the normalised indirect effect of a push at the last two
    tokens there), method, layer, estimate, low, high, n. `control`: labels shuffled before the fit, a probe for likely
    text, random directions of equal norm.
    `data`: None for the world's statements, or a table with the columns statement, label and, for several sets, set.
    """
    import pandas as pd

    rows, nulls, told, notes = [], [], [], []
    for sets in truth.read_sets(lm, trials, seed, data):
        layer, first = truth.choose_layer(sets), sets.of_kind(sets.kinds[0])
        control = truth.null_transfer(sets, layer, shuffles, seed)
        at = causes.choose_layer(lm, sets, first, sets.statements["fit"][first[0]])
        caused, gaps = causes.effects(lm, sets, first, at, randoms, seed)
        is_random = caused["method"].str.startswith("random")
        rows += [truth.transfer(sets, layer, seed), caused[~is_random]]
        nulls += [control, caused[is_random]]
        read, pushed = truth.transfer_claims(lm, sets, layer, control, seed), causes.causal_claims(lm, caused, gaps)
        told.append([*read[:1], *pushed[:1], *read[1:], *pushed[1:]])  # whether it is there and used, then the rest
        notes += [f"{sets.place}: {note}" for note in causes.random_note(caused)]
    table, control = (pd.concat(parts, ignore_index=True) for parts in (rows, nulls))
    claims = [claim for both in zip(*told, strict=True) for claim in both]
    evidence = _evidence("truth_directions", table, claims, control)
    evidence.notes += notes
    return evidence


@study(
    section=SECTION,
    paper=GURNEE,
    question="Does the model hold a map of the world and a time line that a straight ruler can read?",
    needs={"activations"},
)
def space_and_time(
    lm,
    *,
    trials: Annotated[int, Between(60, 2000, 20)] = 400,
    seed: Annotated[int, Between(0, 99)] = 0,
    data: Any = None,
) -> Evidence:
    """Ridge regression from the stream on a name's last token to its coordinates or its year, on names held out.

    At most `trials` cities and as many events. `table`: measure "R²" (per axis and layer, random items held out or
    whole groups: countries, kinds of events), "place" (each item's truth and held-out prediction at the layer chosen
    inside the folds) and "neuron" (weights along the map's axis: cosine under `truth`, Spearman's correlation of the
    activation with the axis under `estimate`). `control`: R² with shuffled targets, from token embeddings alone,
    from random weights, and of the mean of an item's group.
    `data`: None for the world's cities and events, or a table with name, and latitude and longitude or year; with
    country (or group) to hold whole groups out.
    """
    import pandas as pd

    rows, control, claims, notes = [], [], [], []
    for places in space.all_places(trials, seed, data):
        found = space.survey(lm, space.read_atlas(lm, places), seed)
        rows += space.layer_rows(found.atlas, seed)
        rows += space.place_rows(found.atlas.places, found.predicted, found.layer, "random")
        control += space.null_rows(found, seed)
        claims += space.space_claims(lm, found)
        if hasattr(lm, "structure"):
            listed, about = neurons.neuron_rows(lm, found, seed)
            rows, claims = rows + listed, claims + about
        notes += space.summary_notes(found)
    evidence = _evidence("space_and_time", pd.DataFrame(rows), claims, pd.DataFrame(control))
    evidence.notes += notes
    return evidence


def _evidence(name: str, table: pd.DataFrame, claims: list[Claim], control: pd.DataFrame) -> Evidence:
    info = find(name)
    return Evidence(name, info.section, info.paper, info.question, table, claims, control)
