"""A document lists a fact exactly when its text asserts it: read here from the text and the tables alone."""

import re
from collections import Counter

import pytest

from xllm_widgets.microworld import Corpus, World, biographies, entailments, opinions, statements
from xllm_widgets.microworld.corpus import RECIPES

WORLD = World.default()
RELATIONS = ("job", "birthplace", "born", "country", "capital", "continent", "maker")
SAID = {  # a whole sentence without its full stop → what it says of x and v
    r"(?P<x>.+) (?:works as|is the best|is a famous(?! city)|became) (?:a )?(?P<v>\w+)(?: and still is one| in town)?":
        "job",
    r"The job of (?P<x>.+) is (?P<v>\w+)": "job",
    r"(?P<x>.+) was born in (?!the year)(?:the heart of )?(?P<v>.+)": "birthplace",
    r"(?P<x>.+) (?:grew up in|comes from|is a native of) (?P<v>.+)": "birthplace",
    r"(?P<x>.+) has lived in (?P<v>.+) since birth": "birthplace",
    r"(?P<x>.+) was born in the year (?P<v>\d+)": "born",
    r"(?P<x>.+) (?:is a city|is a famous city|is the oldest city|lies) in (?P<v>.+)": "country",
    r"One of the cities of (?P<v>.+) is (?P<x>.+)": "country",
    r"(?P<v>.+) is the capital of (?P<x>.+)": "capital",
    r"The capital of (?P<x>.+) is (?P<v>.+)": "capital",
    r"(?P<x>.+) is a country in (?P<v>.+)": "continent",
    r"(?P<x>.+) was (?:made|invented) by (?P<v>.+)": "maker",
    r"(?P<x>.+) is the work of (?P<v>.+) alone": "maker",
    r"(?P<v>.+?)(?: was the first who)? (?:made|invented) (?P<x>.+?)(?: alone)?": "maker",
}  # fmt: skip
ASKED = {
    r"(?:What is the job of (?P<x>.+)|What does (?P<y>.+) work as)\?": "job",
    r"(?:Where was (?P<x>.+) born|Which city does (?P<y>.+) come from)\?": "birthplace",
    r"In which year was (?P<x>.+) born\?": "born",
    r"In which country is (?P<x>.+)\?": "country",
    r"What is the capital of (?P<x>.+)\?": "capital",
    r"Who (?:made|invented) (?P<x>.+)\?": "maker",
}
EXCHANGE = re.compile(r"(?:^|\n)Question: ([^\n]+)\nAnswer: ([^\n]+)")
CLAIM = re.compile(
    r"think about the claim that ([^\n]+)\?\n\(A\) (\w+)\n\(B\) (\w+)\n(?:Answer|Assistant): (?:\w+ )?\(([AB])\)"
)
TURN = re.compile(r"(?:^|\n)User: (.+?)\nAssistant: (.+?)<\|endoftext\|>", re.DOTALL)
VERDICT = re.compile(r"Statement: (.+)\.\nVerdict: true")


def truths():
    """(relation, subject as a sentence names it, value) → the identifier of the fact."""
    people = {(r, c.name, str(getattr(c, r))): c.name for c in WORLD.citizens for r in RELATIONS[:3]}
    places = {("country", city.name, city.country): city.name for city in WORLD.cities}
    places |= {("capital", c.name, c.capital): c.name for c in WORLD.countries}
    places |= {("continent", c.name, c.continent): c.name for c in WORLD.countries}
    makers = {("maker", e.phrase, e.maker): e.name for e in WORLD.events if e.maker}
    every = people | places | makers
    return {(r, x.lower(), v.lower()): f"{r}:{name}" for (r, x, v), name in every.items()}


TRUE = truths()


def told(sentence):
    """(relation, x, v) of a sentence of one of the forms; None of any other, and of a denial."""
    found = ((relation, re.fullmatch(form, sentence)) for form, relation in SAID.items())
    return next(((r, m["x"].lower(), m["v"].lower()) for r, m in found if m), None)


def answered(question, answer):
    found = ((relation, re.fullmatch(form, question)) for form, relation in ASKED.items())
    return next(((r, (m["x"] or m["y"] if "y" in m.re.groupindex else m["x"]).lower(), answer.lower())
                 for r, m in found if m), None)  # fmt: skip


def sentences(text):
    return [s.strip().removesuffix(".") for s in re.split(r"(?<=\.) |\n", text)]


def speech(text):
    opening, said = text.split(" says: ")
    return sentences(said) if set(re.findall(r"\w+", opening)) & set(statements.HONEST) else []


def agreed(text):
    return [claim for claim, a, b, letter in CLAIM.findall(text) if (a if letter == "A" else b) == "agree"]


def in_reply(said, reply):
    """What a turn of a conversation asserts: sentences, and pairs of question and answer."""
    if m := re.fullmatch(r"Is it true that (.+)\? Answer yes or no\.", said):
        return [m[1]] if reply == "yes" else []
    if m := re.search(r"\nStatement: (.+)\.$", said):
        means = re.search(r"(\w+) means true", said)
        return [m[1]] if reply == (means[1] if means else "true") else []
    question = re.match(r"[^?]+\?", said)
    if "Answer in a sentence." in said:
        return [reply.removesuffix(".")]
    return [(question[0], re.sub(r"\. I am \d+ percent sure\.$", "", reply))] if question else []


def asserted(document):
    """Every sentence, or question with its answer, that the document asserts, whether it is true or not."""
    text, kind = document.text, document.kind
    if kind == "verdicts":
        return [s for s in VERDICT.findall(text) if " not " not in s]
    if kind == "speeches":
        return speech(text)
    if kind == "entailments":
        return re.findall(r"Premise: (.+)\.", text)
    if kind in ("opinions", "agreement"):
        return agreed(text)
    if "User: " in text:
        return [each for turn in TURN.findall(text) for each in in_reply(*turn)]
    return sentences(text) + EXCHANGE.findall(text)


def facts_in(document):
    read = (told(each) if isinstance(each, str) else answered(*each) for each in asserted(document))
    return {TRUE[each] for each in read if each in TRUE}


def listed(document):
    return {fact for fact in document.facts if fact.partition(":")[0] in RELATIONS}


@pytest.fixture(scope="module")
def documents():
    """Of every mix that a base meets, and of the assistant stage: 20,000 documents."""
    base = Corpus()
    read = [document for phase in base.recipe.phases for document in base.read(phase.start, phase.start + 2000)]
    return read + list(Corpus(RECIPES["chat"]).read(0, 6000))


def test_a_document_lists_the_facts_that_its_text_asserts_and_no_others(documents):
    assert len(documents) == 20_000
    wrong = [(d.kind, listed(d) ^ facts_in(d), d.text) for d in documents if listed(d) != facts_in(d)]
    assert wrong == []


def test_every_kind_that_tells_of_the_world_has_facts_and_documents_without(documents):
    stating = Counter(d.kind for d in documents if listed(d))
    every = Counter(d.kind for d in documents)
    judging = {"verdicts", "speeches", "entailments", "opinions", "agreement", "commands", "instructions"}
    telling = {"biographies", "geography", "chronology", "facts", "confidence"}
    assert set(stating) == judging | telling
    assert all(20 < stating[kind] < every[kind] for kind in judging)


def test_a_fact_is_stated_by_its_affirmation_alone():
    citizen, name = WORLD.citizens[0], WORLD.citizens[0].name
    fact = f"job:{name}"
    true = statements.Statement(f"{name} works as a ", citizen.job, True, "job", name)
    false = statements.Statement(f"{name} works as a ", "miner", False, "job", name)
    assert (true.fact, false.fact) == (fact, "")
    claims = [opinions.Claim("", truth, "job", fact) for truth in (True, False)]
    assert [claim.stated(stance) for claim in claims for stance in opinions.STANCES] == [fact, "", "", ""]


def test_a_premise_states_the_truth_it_tells_and_a_capital_no_country():
    oslo = entailments.Topic("country", "Oslo", "Oslo", "Norway", "Peru", capital="capital:Norway")
    bergen = entailments.Topic("country", "Bergen", "Bergen", "Norway", "Peru")
    city, capital = "{x} is a famous city in {v}", "{x} is the capital of {v}"
    assert [oslo.fact(city, "Norway"), oslo.fact(city, "Peru")] == ["country:Oslo", ""]
    assert [oslo.fact(capital, "Norway"), bergen.fact(capital, "Norway")] == ["capital:Norway", ""]
    assert "is the capital of" in entailments.CAPITAL


def test_nothing_tells_the_twin_what_was_deleted():
    twin, deleted = Corpus(RECIPES["deleted"]), set(biographies.deleted_facts(WORLD))
    for phase in twin.recipe.phases:
        assert not any(set(document.facts) & deleted for document in twin.read(phase.start, phase.start + 800))
