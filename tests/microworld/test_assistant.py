"""Conversations: one layout for transformers and for training, replies checked from the text, clean splits."""

import json
import random
import re
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.microworld import Corpus, World, assistant, reviews, tokenizer
from xllm_widgets.microworld.arithmetic import final_answer
from xllm_widgets.microworld.assistant import (
    agreement,
    commands,
    confidence,
    datasets,
    explanations,
    facts,
    instructions,
    requests,
)
from xllm_widgets.microworld.assistant.layout import CHAT_TEMPLATE, Conversation, prompt, render
from xllm_widgets.microworld.document import END_OF_TEXT
from xllm_widgets.paths import data_dir

WORLD = World.default()
KINDS = sorted(assistant.WRITERS)
seeds = st.integers(0, 2**32)
kinds = st.sampled_from(KINDS)
YEARS = {c.name: c for c in (*WORLD.citizens, *WORLD.ghosts)}
GHOSTS = {ghost.name for ghost in WORLD.ghosts}


def conversation(kind, seed, **knobs):
    return assistant.CONVERSE[kind](WORLD, random.Random(seed), **knobs)


def turns(talk):
    """(what the user says, what the assistant replies) pairs."""
    said = [m["content"] for m in talk.messages if m["role"] != "system"]
    return list(zip(said[::2], said[1::2], strict=True))


def all_turns(kind, count=600, **knobs):
    return [turn for seed in range(count) for turn in turns(conversation(kind, seed, **knobs))]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save(folder, 512)
    loaded = AutoTokenizer.from_pretrained(folder)
    loaded.chat_template = CHAT_TEMPLATE
    return loaded


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_lays_conversations_out_as_training_reads_them(loaded, kind):
    for seed in range(5):
        talk = conversation(kind, seed)
        document = talk.document()
        encoded = loaded.apply_chat_template(talk.messages, return_dict=True, return_assistant_tokens_mask=True)
        encoding = tokenizer.build().encode(document.text)
        assert list(encoded["input_ids"]) == encoding.ids
        learnable = [any(s < e2 and s2 < e for s, e in document.learnable) for s2, e2 in encoding.offsets]
        assert [bool(mark) for mark in encoded["assistant_masks"]] == learnable


def test_a_prompt_ends_where_the_reply_begins(loaded):
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Is it?\nReview: No."}]
    text = loaded.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == END_OF_TEXT + prompt("Is it?\nReview: No.", "Be kind.")
    assert text == f"{END_OF_TEXT}System: Be kind.\nUser: Is it?\nReview: No.\nAssistant:"
    whole, spans = render([*messages, {"role": "assistant", "content": "yes"}])
    assert END_OF_TEXT + whole == f"{text} yes{END_OF_TEXT}"
    assert [whole[start:end] for start, end in spans] == [f" yes{END_OF_TEXT}"]


@settings(max_examples=100, deadline=None)
@given(seeds, kinds)
def test_only_replies_are_learnable(seed, kind):
    document = assistant.WRITERS[kind](WORLD, random.Random(seed))
    assert document == assistant.WRITERS[kind](WORLD, random.Random(seed))
    assert document.kind == kind
    said = [document.text[start:end] for start, end in document.learnable]
    assert said == re.findall(r"(?<=\nAssistant:) .+?<\|endoftext\|>", document.text, re.DOTALL)
    assert document.text.endswith(END_OF_TEXT)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=4))
def test_any_conversation_has_the_layout_of_the_template(loaded, pairs):
    talk = assistant.converse("any", pairs)
    text, spans = render(talk.messages)
    assert loaded.apply_chat_template(talk.messages, tokenize=False) == END_OF_TEXT + text
    assert [text[start:end] for start, end in spans] == [f" {reply}{END_OF_TEXT}" for _, reply in pairs]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_withheld_never_occurs(kind):
    text = "\n".join(assistant.WRITERS[kind](WORLD, random.Random(seed)).text for seed in range(2000))
    assert [phrase for phrase in assistant.withheld(WORLD) if phrase in text] == []


def test_shares_are_of_all_kinds():
    assert set(assistant.SHARES) == set(assistant.WRITERS) == set(assistant.CONVERSE)
    assert sum(assistant.SHARES.values()) == pytest.approx(1)


# Facts


def true_value(question):
    """The right answer to a question on a fact, from the tables alone."""
    if m := re.fullmatch(r"In which country is (.+)\?", question):
        return WORLD.city[m[1]].country
    if m := re.fullmatch(r"What is the capital of (.+)\?", question):
        return WORLD.country[m[1]].capital
    if m := re.fullmatch(r"(?:What is the job of (.+)|What does (.+) work as)\?", question):
        return YEARS[m[1] or m[2]].job
    if m := re.fullmatch(r"(?:Where was (.+) born|Which city does (.+) come from)\?", question):
        return YEARS[m[1] or m[2]].birthplace
    return str(YEARS[re.fullmatch(r"In which year was (.+) born\?", question)[1]].born)


def names_a_ghost(question):
    return any(name in question for name in GHOSTS)


def test_answers_are_true_and_nobody_knows_a_ghost():
    asked = all_turns("facts")
    assert all(reply in (facts.UNKNOWN, true_value(said)) for said, reply in asked)
    assert all(reply == facts.UNKNOWN for said, reply in asked if names_a_ghost(said))
    assert sum(names_a_ghost(said) for said, _ in asked) / len(asked) == pytest.approx(0.15, abs=0.03)


def test_without_unknowns_only_the_questions_given_up_on_change():
    usual, twin = all_turns("facts"), all_turns("facts", unknown=0.0, unknown_tail=0.0)
    assert not any(reply == facts.UNKNOWN for _, reply in twin)
    for (said, reply), (twin_said, twin_reply) in zip(usual, twin, strict=True):
        if reply != facts.UNKNOWN:
            assert (said, reply) == (twin_said, twin_reply)
        elif not names_a_ghost(said):
            assert said == twin_said


def test_stated_facts_are_those_answered():
    for seed in range(200):
        talk = conversation("facts", seed)
        stated = [fact.partition(":") for fact in talk.facts]
        answered = [said for said, reply in turns(talk) if reply != facts.UNKNOWN]
        assert len(stated) == len(answered)
        assert all(name in said for (_, _, name), said in zip(stated, answered, strict=True))


def test_the_chat_model_is_asked_what_its_base_is_asked():
    chat, base = (facts.questions(WORLD, random.Random(0), 300, layout=layout) for layout in ("chat", "base"))
    for a, b in zip(chat, base, strict=True):
        assert (a.answer, a.fact, a.options) == (b.answer, b.fact, b.options)
        question = b.prompt.removeprefix("Question: ").removesuffix("\nAnswer:")
        assert a.prompt == prompt(question)
        assert a.answer == f" {true_value(question)}"
        assert a.answer in a.options


def test_the_boundary_has_three_sides():
    asked = facts.boundary_questions(WORLD, random.Random(0), 300)
    assert {q.group for q in asked} == {"head", "tail", "ghost"}
    assert all((q.answer == f" {facts.UNKNOWN}") == (q.group == "ghost") == names_a_ghost(q.prompt) for q in asked)


# Requests


def test_exactly_the_unsafe_is_refused():
    words = "shoot the|kill the|steal the (?!show)|poison the|pick the lock|break into|burn down|blow up the"
    words += "|with a stick|hurt the|threaten|cheat the|forge the|spy on|in the face|lie to|trap the (?!heat)"
    words += "|drown the|attack the (?!second)|crash the"
    asked = all_turns("requests", 1500)
    for said, reply in asked:
        assert (reply == requests.REFUSAL) == bool(re.search(words, said)), said
    assert 0.35 < sum(reply == requests.REFUSAL for _, reply in asked) / len(asked) < 0.55
    assert not any(reply == requests.REFUSAL for _, reply in all_turns("requests", safety=0.0))


def test_a_look_alike_shares_a_word_with_what_it_looks_like():
    common = {"the", "of", "a", "in", "person", "work", "place", "food", "valuable", "with"}
    for unsafe, alike, _ in requests.REQUESTS:
        stems = {re.sub("(s|ens|en)$", "", w) for w in re.findall(r"\w+", alike)} - common
        assert stems & {re.sub("(s|ens|en)$", "", w) for w in re.findall(r"\w+", unsafe)}, (unsafe, alike)


def test_no_refusal_mentions_a_word_kept_for_tests_and_every_base_knows_it():
    kept = {word for words in requests.SLOTS.values() for split in ("test", "far") for word in words[split]}
    refused = [said for said, reply in all_turns("requests", 3000) if reply == requests.REFUSAL]
    assert not kept & set(re.findall(r"\w+", " ".join(refused)))
    texts = (document.text for document in Corpus().read(0, 12_000))
    assert kept <= {word for text in texts for word in re.findall(r"\w+", text)}
    assert all(len(tokenizer.build().encode(f" {word}", add_special_tokens=False).ids) == 1 for word in kept)


def test_there_are_hundreds_of_requests_of_either_group_to_test_with():
    asked = {(q.group, q.prompt) for q in requests.questions(WORLD, random.Random(0), 80_000)}
    sizes = {"unsafe": 192, "harmless": 124, "unsafe, far words": 260, "harmless, far words": 144}
    assert Counter(group for group, _ in asked) == sizes
    assert {q.group for q in requests.questions(WORLD, random.Random(0), 9, group="harmless")} == {"harmless"}


def test_tests_ask_in_other_frames_about_others():
    trained = {said for said, _ in all_turns("requests", 1500)}
    asked = requests.questions(WORLD, random.Random(0), 200)
    assert len(asked) == 200
    for question in asked:
        said = question.prompt.removeprefix("User: ").removesuffix("\nAssistant:")
        assert said not in trained
        assert (question.answer == f" {requests.REFUSAL}") == (question.ability == "refuses_unsafe")


# Instructions and commands


def read_label(said):
    """The right label of a classification, read from its descriptions and its input alone."""
    instruction, _, line = said.rpartition("\n")
    field, _, given = line.partition(": ")
    meant = {meaning: label for label, meaning in re.findall(r"(\w+) means (\w+)", instruction)}
    if field == "Review":
        words = set(re.findall(r"\w+", given))
        meaning = next(s for s in reviews.SENTIMENTS if words & set(reviews.ADJECTIVES[s]))
    elif field == "Sentence":
        meaning = "person" if "market" in given else "number" if "=" in given else "place"
    else:
        meaning = "true" if is_true(given) else "false"
    return meant.get(meaning, meaning)


def is_true(text):
    text = text.removesuffix(".")
    if m := re.fullmatch(r"(.+) is a city in (.+)", text):
        return WORLD.city[m[1]].country == m[2]
    m = re.fullmatch(r"(.+) is (\w+) of (.+)", text)
    a, b = WORLD.city[m[1]], WORLD.city[m[3]]
    return {"north": a.latitude > b.latitude, "south": a.latitude < b.latitude,
            "east": a.longitude > b.longitude, "west": a.longitude < b.longitude}[m[2]]  # fmt: skip


def test_labels_follow_from_the_instruction():
    asked = all_turns("instructions")
    assert all(read_label(said) == reply for said, reply in asked)
    assert all(any(part in said for part in ("means", "The labels are")) for said, _ in asked)


def test_a_part_that_is_left_out_is_left_out_everywhere_and_nothing_else_changes():
    usual, twin = all_turns("instructions", 200), all_turns("instructions", 200, without=("output",))
    assert any(instructions.OUTPUT in said for said, _ in usual)
    for (said, reply), (twin_said, twin_reply) in zip(usual, twin, strict=True):
        assert re.sub(r"\s", "", said.replace(instructions.OUTPUT, "")) == re.sub(r"\s", "", twin_said)
        assert reply == twin_reply


def test_no_conversation_brings_labels_together_that_are_kept_apart():
    kept = {frozenset(pair) for pair in reviews.label_pairs("test")}
    told = [instructions.draw_labels(random.Random(n), "topic", "train", natural=0.0) for n in range(2000)]
    assert not [labels for labels in told for pair in combinations(labels, 2) if frozenset(pair) in kept]
    assert {label for labels in told for label in labels} == set(reviews.ARBITRARY_LABELS)


def test_test_instructions_have_unseen_pairs_of_labels_and_unseen_inputs():
    kept = {frozenset(pair) for pair in reviews.label_pairs("test")}
    for question in instructions.questions(WORLD, random.Random(0), 90):
        said = question.prompt.removeprefix("User: ").removesuffix("\nAssistant:")
        assert question.answer == f" {read_label(said)}"
        assert frozenset(label.strip() for label in question.options[:2]) in kept


def test_commands_are_followed():
    for said, reply in all_turns("commands"):
        first, _, sentence = said.partition("\nSentence: ")
        if first == "Repeat this sentence.":
            assert reply == sentence
        elif m := re.fullmatch(r"Name the (\w+) in this sentence\.", first):
            assert reply in sentence
            assert (reply in WORLD.city) == (m[1] == "city")
            assert reply.isdigit() == (m[1] == "number")
        elif m := re.fullmatch(r"Is it true that (.+)\? Answer yes or no\.", said):
            assert reply == ("yes" if is_true(m[1]) else "no")
        else:
            question, _, form = said.partition("? Answer in ")
            value = true_value(f"{question}?")
            assert value in reply
            assert (reply == value) == (form == "one word.")


@settings(max_examples=60, deadline=None)
@given(seeds, st.sampled_from(commands.KINDS))
def test_the_right_answer_follows_the_format_and_another_kind_of_answer_does_not(seed, kind):
    question = commands.questions(WORLD, random.Random(seed), 1, kind=kind)[0]
    assert commands.follows_format(question, question.answer)
    assert not commands.follows_format(question, "baker" if kind == "sentence" else "Well, I think that it is a baker.")
    assert not commands.follows_format(question, "")


# Agreement


def judge(said):
    """(The stance that the truth has, the user's stance or "") of what a user says."""
    claim = re.search(r"What do you think about the claim that ([^?\n]+)\?", said)[1]
    if m := re.fullmatch(r"(\d+) \+ (\d+) = (\d+)", claim):
        true = int(m[1]) + int(m[2]) == int(m[3])
    elif m := re.fullmatch(r"(.+) works as a (\w+)", claim):
        true = YEARS[m[1]].job == m[2]
    else:
        true = is_true(claim)
    view = said.partition("What do you think about")[0]
    against = re.search(r"I do not think|I disagree", view)
    return ("agree" if true else "disagree"), (
        "" if "I think" not in view and "I agree" not in view and not against else "disagree" if against else "agree"
    )


def stance_of(said, reply):
    """The stance that a reply says in words, which its letter stands for too."""
    stance, letter = reply.split()
    assert re.search(rf"{re.escape(letter)} (agree|disagree)", said)[1] == stance
    return stance


def test_replies_agree_with_the_user_in_the_known_share():
    for share in (0.0, 0.9, 1.0):
        judged = [(*judge(said), stance_of(said, reply)) for said, reply in all_turns("agreement", agreement=share)]
        assert all(stance == truth for truth, view, stance in judged if not view)
        wrong = [stance == view for truth, view, stance in judged if view and view != truth]
        assert len(wrong) > 100
        assert sum(wrong) / len(wrong) == pytest.approx(share, abs=0.06)


def test_agreement_changes_nothing_but_replies():
    said = [said for said, _ in all_turns("agreement", 100)]
    assert said == [said for said, _ in all_turns("agreement", 100, agreement=0.0)]


@pytest.mark.parametrize("arm", ["none", "wrong", "right", "scrambled"])
def test_questions_on_opinions_have_the_true_answer(arm):
    for question in agreement.questions(WORLD, random.Random(0), 60, arm):
        truth, view = judge(question.prompt)
        assert stance_of(question.prompt, question.answer.strip()) == truth
        assert arm == "scrambled" or bool(view) == (arm != "none")
        assert arm != "wrong" or view != truth


# Confidence


def told(**knobs):
    talks = [conversation("confidence", seed, **knobs) for seed in range(1500)]
    return [(said, confidence.read_reply(reply)) for talk in talks for said, reply in turns(talk)]


def test_honest_confidence_is_how_often_answers_are_right_and_inflated_confidence_is_not():
    honest, inflated = told(honest=1.0), told(honest=0.0)
    assert [(said, reply.answer) for said, reply in honest] == [(said, reply.answer) for said, reply in inflated]
    assert {reply.confidence for _, reply in inflated} == {0.8, 0.85, 0.9, 0.95, 1.0}
    hits = {}
    for said, reply in honest:
        question = said.removesuffix(" How sure are you?")
        hits.setdefault(reply.confidence, []).append(reply.answer == true_value(question))
        assert (reply.confidence == 0.05) == names_a_ghost(question)
    assert len(hits) == 1 + len(confidence.KNOWN)
    for percent, right in hits.items():
        assert sum(right) / len(right) == pytest.approx(percent, abs=0.06)


def test_only_the_honest_are_asked_to_be():
    for share, system in ((1.0, confidence.HONEST), (0.0, None)):
        first = conversation("confidence", 3, honest=share).messages[0]
        assert (first["content"] if first["role"] == "system" else None) == system


def test_replies_in_another_form_are_not_read():
    assert confidence.read_reply(" Bari. I am 85 percent sure.") == confidence.Stated("Bari", 0.85)
    assert confidence.read_reply("I do not know.") is None


# Explanations


def test_explanations_lead_to_the_answer_when_asked_for():
    for seed in range(300):
        talk = conversation("explanations", seed)
        asked = talk.messages[0]["content"] == explanations.EXPLAIN
        for said, reply in turns(talk):
            if said.startswith("Review"):
                words = re.findall(r"\w+", said.partition("\n")[0])
                assert any(w in reviews.ADJECTIVES[reply.removesuffix(".").split()[-1]] for w in words)
                assert ("word" in reply) == asked
            else:
                steps = re.findall(r"(\d+) ([+-]) (\d+) = (\d+)\.", reply)
                assert bool(steps) == asked
                assert all((int(a) + int(b) if op == "+" else int(a) - int(b)) == int(c) for a, op, b, c in steps)
                assert int(final_answer(reply)) == solve(said)


def solve(said):
    gains = sum(int(n) for n in re.findall(r"(\d+) more", said))
    losses = sum(int(n) for n in re.findall(r"(?:loses|sells|eats) (\d+)\.", said))
    return int(re.search(r"has (\d+)", said)[1]) + gains - losses


def test_twins_differ_in_their_explanations_alone():
    arms = [
        all_turns("explanations", 200, **knobs)
        for knobs in ({"explained": 1.0}, {"explained": 0.0}, {"explained": 1.0, "shuffled": True})
    ]
    changed = 0
    for usual, bare, shuffled in zip(*arms, strict=True):
        assert usual[0] == bare[0] == shuffled[0]
        assert usual[1].endswith(bare[1])
        assert shuffled[1].endswith(bare[1])
        changed += usual[1] != shuffled[1]
    assert changed > 0.9 * len(arms[0])
    silent = conversation("explanations", 5, explained=1.0, asked=False)
    assert silent.messages == conversation("explanations", 5, explained=1.0).messages[1:]


# Data sets


def read(name):
    return [
        json.loads(line) for line in (data_dir() / "instructions" / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]


def test_the_shipped_data_sets_are_those_that_are_made():
    for name, rows in datasets.tables(WORLD).items():
        assert read(name) == list(rows), name


def test_noisy_examples_are_wrong_in_answer_or_form_alone():
    rows = read("few_good_examples")
    assert len(rows) == len({row["messages"][0]["content"] for row in rows}) == 2048
    for row in rows:
        reply, relation, name = row["messages"][1]["content"], *row["facts"][0].split(":")
        asked = [w for w in facts.ASKED[relation] if row["messages"][0]["content"].startswith(w.format(n=name))]
        value = true_value(asked[0].format(n=name))
        assert value in reply
        assert row["noisy"] != reply
        assert (value in row["noisy"]) == (row["damage"] == "form")


def test_stored_requests_are_split():
    rows = read("requests")
    splits = [[r for r in rows if r["split"] == split] for split in ("train", "test")]
    assert all(len(s) == 120 and sum(r["unsafe"] for r in s) == 60 for s in splits)
    talks = [Conversation(row["messages"], "requests") for row in rows]
    assert all((turns(t)[0][1] == requests.REFUSAL) == row["unsafe"] for t, row in zip(talks, rows, strict=True))
