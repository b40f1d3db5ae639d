"""Edits of steps are exact and can be taken back, outdated answers are dropped, and the twins say what is shown."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.errors import XllmError
from xllm_widgets.widgets.base import ViewError
from xllm_widgets.widgets.reasoning_editor import MOST_ANSWERS, MOST_STEPS, OTHERS, ReasoningEditor, wrong_number

STEPS = ("7 + 5 = 12", "12 - 3 = 9", "9 + 1 = 10")


def editor(**more):
    return ReasoningEditor("Tom has 7 apples …", STEPS, "10", **more)


def rows(**shares):
    return [{"answer": name[1:], "share": s, "low": s / 2, "high": (1 + s) / 2} for name, s in shares.items()]


def point(kept, share):
    return {"kept": kept, "share": share, "low": share / 2, "high": (1 + share) / 2}


def answering(view, log, decisive=1):
    """Right in every ending once the decisive step is kept."""

    def answer(asking, request, stage, part):
        log.append((request, stage, part))
        if stage == "answers":
            asking.answer_distribution(request, rows(_10=0.9, _11=0.1), rows(_10=1.0), n=20, at_once={"10": 0.8})
        else:
            last = len(asking.steps)
            points = [point(kept, float(kept > decisive)) for kept in [last, *range(last)][: part + 1]]
            asking.answer_curve(request, points, n=20, done=part == last, decisive=decisive)

    view.on_ask(answer)
    return view


def test_edits_do_what_they_say():
    view = editor()
    view.edit(0, " 7 + 6\n=  13 ")
    assert view.texts == ("7 + 6 = 13", *STEPS[1:])
    view.move(0, 2)
    assert view.texts == (*STEPS[1:], "7 + 6 = 13")
    view.delete(0)
    view.add("So <b>10</b>")
    assert view.texts == (STEPS[2], "7 + 6 = 13", "So <b>10</b>")
    view.truncate(1)
    assert view.texts == (STEPS[2],)
    view.delete_all()
    assert view.texts == ()
    view.reset()
    assert view.texts == view.given == STEPS


def test_a_step_is_known_again_wherever_it_goes():
    view = editor()
    view.move(2, 0)
    view.falsify(0)
    assert view.steps[0] == {"id": 2, "text": "9 + 1 = 11", "given": "9 + 1 = 10"}
    view.delete(1)
    view.add("new")
    assert [step["id"] for step in view.steps] == [2, 1, 3]
    assert view.steps[-1]["given"] == ""


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("7 + 5 = 12", "7 + 5 = 13"), ("12 = 7 + 5", "12 = 8 + 5"), ("Tom has 3 of 4 apples", "Tom has 3 of 5 apples"),
        ("2 - 5 = -3", "2 - 5 = -2"), ("1 / 2 = 0.5", "1 / 2 = 1.5"),
    ],
)  # fmt: skip
def test_the_result_of_a_step_becomes_wrong(text, wrong):
    assert wrong_number(text) == wrong


def test_a_step_without_a_number_is_not_falsified():
    view = ReasoningEditor("?", ["He counts."], "1")
    with pytest.raises(ViewError, match="no number to falsify"):
        view.falsify(0)
    view.falsifier = str.upper
    view.falsify(0)
    assert view.texts == ("HE COUNTS.",)


def test_shuffling_gives_another_order_of_the_same_steps():
    view, other = editor(), editor()
    view.shuffle(3)
    other.shuffle(3)
    assert view.texts == other.texts != STEPS
    assert sorted(view.texts) == sorted(STEPS)


moves = st.one_of(
    st.tuples(st.just("move"), st.integers(0, 9), st.integers(0, 9)), st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("falsify"), st.integers(0, 9)), st.tuples(st.just("truncate"), st.integers(0, 9)),
    st.tuples(st.just("shuffle"), st.integers(0, 99)), st.tuples(st.just("add"), st.text(max_size=9)),
    st.tuples(st.just("edit"), st.integers(0, 9), st.text(max_size=9)), st.tuples(st.just("delete_all")),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(moves, max_size=12))
def test_undo_goes_back_edit_by_edit_whatever_was_done(edits):
    view, seen = editor(), [STEPS]
    for name, *arguments in edits:
        before = view.texts, view.request
        with contextlib.suppress(ViewError):
            getattr(view, name)(*arguments)
        if (view.texts, view.request) != before:
            assert view.request == before[1] + 1
            seen.append(view.texts)
        assert len({step["id"] for step in view.steps}) == len(view.steps)
    for texts in reversed(seen[:-1]):
        view.undo()
        assert view.texts == texts
    request = view.request
    view.undo()
    assert view.request == request


def test_every_change_counts_and_no_change_does_not():
    view = editor()
    view.edit(0, STEPS[0])
    view.truncate(3)
    assert view.request == 0
    view.falsify(-1)
    assert view.request == 1


def test_answers_stand_beside_the_original_ones_right_first():
    view = editor()
    view.answer_distribution(0, rows(_9=0.6, _10=0.4), rows(_10=0.7, _8=0.3), n=20, at_once={"10": 0.25})
    told = [(row["answer"], row["share"], row["original"], row["at_once"]) for row in view.answers["rows"]]
    assert told == [("10", 0.4, 0.7, 0.25), ("9", 0.6, 0.0, None), ("8", 0.0, 0.3, None)]
    assert view.answers["rows"][2]["low"] is None
    json.dumps(view.to_dict(), allow_nan=False)


def test_too_many_answers_are_summed_and_nothing_is_lost():
    view = editor()
    many = [{"answer": str(k), "share": 0.05, "low": 0.0, "high": 0.2} for k in range(20)]
    view.answer_distribution(0, many, many, n=20)
    assert len(view.answers["rows"]) == MOST_ANSWERS
    assert view.answers["rows"][0]["answer"] == "10"
    assert view.answers["rows"][-1]["answer"] == OTHERS
    for column in ("share", "original"):
        assert sum(row[column] for row in view.answers["rows"]) == pytest.approx(1)


def test_answers_to_earlier_steps_are_dropped():
    view = editor()
    view.delete(0)
    view.answer_distribution(0, rows(_10=1.0), n=20)
    view.answer_curve(0, [point(0, 1.0)], n=20, done=True, decisive=2)
    assert view.answers["request"] == view.curve["request"] == -1
    assert "endings" not in view.describe()


def test_refresh_goes_through_all_stages_and_the_twins_show_them():
    log = []
    view = answering(editor(title="Steps"), log).refresh()
    assert log == [(0, "answers", 0), *((0, "curve", part) for part in range(4))]
    assert [p["kept"] for p in view.curve["points"]] == [0, 1, 2, 3]
    words = view.describe()
    assert "10 90% (as given 100%), 11 10% (as given 0%)" in words
    assert "Step 2, '12 - 3 = 9', decides." in words
    bundle, _ = view._repr_mimebundle_()
    assert bundle["text/plain"] == words
    assert len(log) == 5  # what is answered already is not asked again
    assert view.to_png()[:4] == b"\x89PNG"
    assert "application/x-xw-afm" in view.to_html()


@pytest.mark.parametrize("steps", [(), ("one",), ("日本 مرحبا </script> $x$",) * 6])
def test_any_steps_have_a_picture(steps):
    view = answering(ReasoningEditor("<img src=x>", steps, "10"), [], decisive=None if not steps else 0)
    assert view.to_png()[:4] == b"\x89PNG"
    assert "</script> $x$" not in view.to_html().split("<noscript>")[0]


def test_the_decisive_step_is_falsified_wherever_it_went():
    view = answering(editor(), [])
    with pytest.raises(ViewError, match="not known yet"):
        view.falsify_decisive()
    view.refresh()
    view.move(1, 0)
    assert view.decisive == 0
    view.falsify_decisive()
    assert view.texts[0] == "12 - 3 = 10"
    view.delete(0)
    assert view.decisive is None


def test_where_no_step_decides_none_is_falsified():
    view = answering(editor(), [], decisive=None)
    view.on_ask(lambda asking, request, stage, part: asking.answer_curve(request, [], n=2, done=True))
    view.refresh()
    with pytest.raises(ViewError, match="No step moves the answer beyond doubt"):
        view.falsify_decisive()


def test_a_command_from_the_browser_is_carried_out_and_answered_when_asked():
    log = []
    view = answering(editor(), log)
    view.command = {"n": 1, "name": "falsify", "arguments": [0]}
    assert log == []  # the steps are shown before the answers, which take longer
    assert view.request == view.obeyed == 1
    view.ask = {"request": 0, "stage": "answers", "part": 0}
    assert log == []  # asked for steps that are gone
    view.ask = {"request": 1, "stage": "answers", "part": 0}
    assert log == [(1, "answers", 0)]
    assert view.answers["request"] == 1
    view.ask = {"request": 1, "stage": "curve", "part": 0}
    assert log[1:] == [(1, "curve", 0)]
    view.command = {"n": 2, "name": "close", "arguments": []}
    assert view.request == 1  # only edits can be commanded


def test_failures_are_said_in_words_and_forgotten_when_mended():
    view = editor()

    def refuse(asking, request, stage, part):
        raise XllmError("The prompt is too long; delete a step.")

    view.on_ask(refuse)
    view.refresh()
    assert view.error == "The prompt is too long; delete a step."
    answering(view, [])
    view.command = {"n": 1, "name": "edit", "arguments": [0, " . "]}
    assert view.error == "An empty step is no step; delete it instead."
    assert view.obeyed == 1
    view.command = {"n": 2, "name": "delete", "arguments": [0]}
    assert view.error == ""


def test_what_makes_no_editor_is_refused():
    for question, answer in ((" ", "1"), ("?", "")):
        with pytest.raises(ViewError, match="question and its right answer"):
            ReasoningEditor(question, STEPS, answer)
    view = ReasoningEditor("?", ["1 + 1 = 2"] * MOST_STEPS, "1")
    with pytest.raises(ViewError, match=f"{MOST_STEPS} steps are as many"):
        view.add("one more")
    for act in (lambda: view.delete(99), lambda: view.truncate(99), lambda: view.add(" ")):
        with pytest.raises(ViewError):
            act()
