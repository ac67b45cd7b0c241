"""Phrases against a naive matcher and all tag sequences: exact, legal, whatever the batch."""

import multiprocessing
import os
import pickle
import random
import re
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import fastner
from fastner.bundle import read_bundle
from fastner.errors import FastnerError, InputError
from fastner.lists.phrases import WEIGHT
from fastner.tags import TagScheme, convert, spans_of, tag_set

GOLDEN = Path(__file__).parent / "golden"
SMALL = {  # few tags, so that all sequences can be looked at: in BIOES and in IOB2
    "BIOES, native": ("bundle-1.4", "native", 3),
    "BIOES, onnxruntime": ("bundle-1.4", "onnxruntime", 3),
    "IOB2, onnxruntime": ("bundle-1.0-iob2", "onnxruntime", 4),
}
WORDS = ["Ada", "Acme", "of", "Oslo", "moved"]


@cache
def load(bundle=None, engine="native", threads=1):
    return fastner.load(None if bundle is None else GOLDEN / bundle, engine=engine, threads=threads)


def matches(lists, sentence, fold=lambda word: word):
    """Leftmost-longest matches of {label: phrases}, as (start, end, label); phrases are words."""
    known = {
        tuple(map(fold, phrase)): label for label, phrases in lists.items() for phrase in phrases
    }
    words = [fold(word) for word in sentence]
    found, start = [], 0
    while start < len(words):
        for end in range(len(words), start, -1):
            if label := known.get(tuple(words[start:end])):
                found.append((start, end, label))
                start = end
                break
        else:
            start += 1
    return found


def simple_fold(word):
    return "".join(char.upper().lower() for char in word)


# ---- which words match ---------------------------------------------------------------------------

LONG = "x" * 15, "x" * 16, "Ł" * 8, "中" * 300  # within and beyond what a slot of the table holds
words = st.sampled_from(["a", "b", "A", "É", "é", "ς", "Σ", "ſ", "S", "µ", "\U0001f642", *LONG])
rows = st.lists(words, min_size=1, max_size=5)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(rows, st.sampled_from("XYO")), max_size=25),
    st.lists(st.lists(words, max_size=9), max_size=6),
    st.booleans(),
)
def test_matches_equal_a_naive_matcher(phrases, sentences, ignore_case):
    fold = simple_fold if ignore_case else str
    by_phrase = {tuple(map(fold, phrase)): (phrase, label) for phrase, label in phrases}
    lists = {"X": [], "Y": [], "O": []}
    for phrase, label in by_phrase.values():
        lists[label].append(phrase)
    tags = load().with_phrases(lists, ignore_case=ignore_case).tag_batch(sentences)
    for sentence, row in zip(sentences, tags, strict=True):
        wanted = [m for m in matches(lists, sentence, fold) if m[2] != "O"]
        assert [tuple(span) for span in spans_of(row) if span.label in "XY"] == wanted


def test_many_phrases():
    """Tables grow, and nothing in them is lost."""
    rng = random.Random(3)
    pool = [f"w{i}" for i in range(3000)] + [f"a longer word, {i}" for i in range(300)]
    phrases = {tuple(rng.choices(pool, k=rng.choice([1, 2, 2, 3, 5]))) for _ in range(20_000)}
    lists = {
        "X": [list(p) for p in phrases if len(p) != 2],
        "Y": [p for p in phrases if len(p) == 2],
    }
    tagger = load().with_phrases(lists)
    sentences = [rng.choices(pool, k=20) for _ in range(300)]
    sentences += [[*phrase, *rng.choices(pool, k=3)] for phrase in list(phrases)[::50]]
    known = {tuple(phrase): label for label, rows in lists.items() for phrase in rows}
    for sentence, row in zip(sentences, tagger.tag_batch(sentences), strict=True):
        wanted, start = [], 0
        while start < len(sentence):
            behind = range(start + 1, min(start + 5, len(sentence)) + 1)
            ends = [end for end in behind if tuple(sentence[start:end]) in known]
            if ends:
                wanted.append((start, ends[-1], known[tuple(sentence[start : ends[-1]])]))
            start = ends[-1] if ends else start + 1
        assert [tuple(span) for span in spans_of(row) if span.label in "XY"] == wanted


def test_no_match_goes_beyond_a_sentence():
    """Sentences of a batch lie one behind the other; what two of them spell is no phrase."""
    tagger = load().with_phrases({"X": [["a", "b"], ["b", "c", "d"], ["d", "e", "f", "g"]]})
    for sentences in (
        [["z", "a"], ["b", "z"]],
        [["z", "b"], ["c", "d"]],
        [["b", "c"], ["d", "z"]],
        [["d", "e", "f"], ["g", "z", "z"]],
        [["z", "d", "e"], ["f", "g", "z"]],
    ):
        for order in (sentences, sentences[::-1]):
            assert not any(tag[2:] == "X" for row in tagger.tag_batch(order) for tag in row)
        joined = sentences[0] + sentences[1]
        assert "B-X" in tagger.tag(joined)


def test_a_phrase_is_split_as_text_is():
    tagger = load().with_phrases(
        {"X": ["AT&T Inc.", "Robert F.", "rock 'n' roll", "don't panic", "  New\t York  "]}
    )
    for text, found in {
        "He left AT&T Inc. in May.": "AT&T Inc.",
        "He left AT&T Inc.": "AT&T Inc.",
        "Then Robert F. spoke.": "Robert F.",
        "It was Robert F.": "Robert F.",
        "They love rock 'n' roll here.": "rock 'n' roll",
        "Please don't panic!": "don't panic",
        "In New York, again": "New York",
        "In New\nYork, again": "New\nYork",
    }.items():
        doc = tagger(text, lines="wrapped")
        assert [e.text for e in doc.entities if e.label == "X"] == [found]
    assert "X" not in {e.label for e in tagger("in new york. New. York").entities}


def test_a_tokenizer_of_ones_own_splits_phrases_too():
    def on_blanks(text):
        found = re.finditer(r"\S+", text)
        return [[fastner.Token(m[0], m.start(), m.end()) for m in found]] if text.strip() else []

    with (
        fastner.load(tokenizer=on_blanks) as plain,
        plain.with_phrases({"X": ["Yahoo!Inc. now,"]}) as tagger,
    ):
        (entity,) = tagger("it is Yahoo!Inc. now, so").entities
        assert (entity.text, entity.label, entity.start) == ("Yahoo!Inc. now,", "X", 6)


# ---- exactly the posterior -----------------------------------------------------------------------


@cache
def sequences_of(bundle, engine, sentence):
    """All legal tag sequences of a sentence, in the model's scheme, and their tempered scores."""
    tagger = load(bundle, engine)
    ((emissions,),) = [
        tagger._each(
            fastner._tagging.Batch.of_words([sentence]), lambda e, lengths, names: list(e), 1
        )
    ]
    model, crf = tagger.manifest, read_bundle(GOLDEN / bundle).crf()
    wide = [a.astype(np.float64) for a in (emissions, crf.start, crf.transitions, crf.end)]
    paths, scores = reference.crf_paths(*wide)
    legal = scores > -np.inf
    tags = [[model.tags[i] for i in path] for path in paths[legal]]
    return tags, scores[legal] / model.temperature


def iob2(tags, scheme):
    return convert(tags, TagScheme(scheme), TagScheme.IOB2)


def posterior(case, sentence, lists, mode, weight):
    """IOB2 sequences and their probabilities by the words of `with_phrases`."""
    bundle, engine, _ = SMALL[case]
    model = load(bundle, engine).manifest
    tags, scores = sequences_of(bundle, engine, tuple(sentence))
    found = matches(lists, sentence)
    strangers = set(lists) - {*model.labels, "O"}
    kept, names, weights = [], [], []
    for row, score in zip(tags, scores, strict=True):
        chunks = spans_of(row)
        fits = True
        for start, end, label in found:
            if label == "O" or label in strangers:
                wanted = ["O"] * (end - start)
            else:
                wanted = TagScheme(model.scheme).tags([(0, end - start, label)], end - start)
            if mode == "prefer":
                agree = sum(a == b for a, b in zip(row[start:end], wanted, strict=True))
                score += weight * agree / model.temperature
            elif set(wanted) == {"O"}:
                fits &= row[start:end] == wanted
            else:
                fits &= (start, end, label) in chunks
        if not fits:
            continue
        name = iob2(row, model.scheme)
        for start, end, label in found:
            if label in strangers:
                name[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
        names.append(name)
        kept.append(row)
        weights.append(score)
    p = np.exp(np.array(weights) - max(weights))
    return names, p / p.sum()


@st.composite
def cases(draw):
    case = draw(st.sampled_from(sorted(SMALL)))
    sentence = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=SMALL[case][2]))
    mode = draw(st.sampled_from(["force", "prefer"]))
    labels = ["PER", "LOC", "ORG", "O", *(["PRODUCT", "X"] if mode == "force" else [])]
    row = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3)
    phrases = draw(st.dictionaries(row.map(tuple), st.sampled_from(labels), max_size=6))
    # phrases that the sentence holds, or else most would not matter
    begin = draw(st.integers(0, len(sentence) - 1))
    phrases[tuple(sentence[begin : begin + draw(st.integers(1, 3))])] = draw(
        st.sampled_from(labels)
    )
    lists = {}
    for phrase, label in phrases.items():
        lists.setdefault(label, []).append(list(phrase))
    return case, sentence, lists, mode, draw(st.sampled_from([0.5, 3.0, 20.0]))


@settings(max_examples=150)
@given(cases())
def test_probabilities_equal_enumeration(drawn):
    case, sentence, lists, mode, weight = drawn
    options = {"mode": mode, **({"weight": weight} if mode == "prefer" else {})}
    tagger = load(*SMALL[case][:2]).with_phrases(lists, **options)
    names, p = posterior(case, sentence, lists, mode, weight)
    tags = tagger.tag(sentence)
    assert p[names.index(tags)] == pytest.approx(p.max(), rel=1e-4)
    entities = reference.crf_entities(names, p)
    (again,), (scores,) = tagger.entity_scores([sentence])
    wanted = [entities[chunk] for chunk in sorted(reference.conlleval_chunks(tags))]
    assert again == tags and scores == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    (rows,) = tagger.marginals([sentence])
    for t, row in enumerate(rows):
        wanted = [
            sum(q for name, q in zip(names, p, strict=True) if name[t] == tag)
            for tag in tagger.tags
        ]
        assert row.tolist() == pytest.approx(wanted, abs=1e-5)
    closed = TagScheme.BIOES
    columns = tag_set(tagger.labels, closed)
    names_closed = [convert(name, TagScheme.IOB2, closed) for name in names]
    (rows,) = tagger.marginals([sentence], scheme="BIOES")
    for t, row in enumerate(rows):
        of_tag = dict.fromkeys(columns, 0.0)
        for name, q in zip(names_closed, p, strict=True):
            of_tag[name[t]] += q
        assert row.tolist() == pytest.approx(list(of_tag.values()), abs=1e-5)
    (best,) = tagger.nbest([sentence], 5)
    assert best[0][0] == tags
    of = dict(zip(map(tuple, names), p, strict=True))
    for (found, q), wanted in zip(best, sorted(p, reverse=True), strict=False):
        assert q == pytest.approx(of[tuple(found)], rel=1e-4, abs=1e-9)
        assert q == pytest.approx(wanted, rel=1e-4, abs=1e-9)


def test_the_default_weight():
    sentence, lists = ["Oslo", "moved"], {"PER": [["Oslo"]]}
    preferred = load("bundle-1.4").with_phrases(lists, mode="prefer")
    stated = load("bundle-1.4").with_phrases(lists, mode="prefer", weight=WEIGHT)
    np.testing.assert_equal(preferred.marginals([sentence]), stated.marginals([sentence]))
    plain = load("bundle-1.4").marginals([sentence])[0]
    column = preferred.tags.index("B-PER")
    assert preferred.marginals([sentence])[0][0, column] > plain[0, column]


# ---- the same whatever the batch, the engine, the thread -----------------------------------------

POOL = (
    "Angela Merkel met Tim Cook in Cupertino New York Times Apple Inc. the of iPhone 17 Pro Dr. Dre"
).split()
LISTS = {
    "PRODUCT": [["iPhone"], ["iPhone", "17"], ["17", "Pro", "Dr."], ["Apple", "Inc."]],
    "PER": [["Dr.", "Dre"], ["Tim"], ["Merkel", "met"]],
    "ORG": [["New", "York", "Times"], ["of", "the"]],
    "O": [["Cupertino"], ["New", "York"], ["in", "New"]],
}


def sentences_of(seed, count=400):
    rng = random.Random(seed)
    return [rng.choices(POOL, k=rng.choice([0, 1, 2, 5, 9, 30])) for _ in range(count)]


@pytest.fixture(params=["native", "onnxruntime"])
def engine(request):
    return request.param


def test_matches_are_entities_and_tags_are_legal(engine):
    sentences = sentences_of(1)
    tagger = load(engine=engine).with_phrases(LISTS)
    matched = 0
    for sentence, tags in zip(sentences, tagger.tag_batch(sentences), strict=True):
        spans = set(map(tuple, spans_of(tags)))
        for start, end, label in matches(LISTS, sentence):
            matched += 1
            if label == "O":
                assert tags[start:end] == ["O"] * (end - start)
            else:
                assert (start, end, label) in spans
        for before, tag in zip(["O", *tags], tags, strict=False):
            assert tag[0] != "I" or before[2:] == tag[2:]
    assert matched > 500


@pytest.mark.parametrize("mode", ["force", "prefer"])
def test_batches_and_threads_change_nothing(engine, mode):
    lists = LISTS if mode == "force" else {"PER": LISTS["PER"], "O": LISTS["O"]}
    tagger = load(engine=engine).with_phrases(lists, mode=mode)
    two = load(engine=engine, threads=2).with_phrases(lists, mode=mode)
    sentences = sentences_of(2)
    tags = tagger.tag_batch(sentences)
    assert [tagger.tag(sentence) for sentence in sentences] == tags
    assert two.tag_batch(sentences) == tags
    again, scores = tagger.entity_scores(sentences)
    assert again == tags and two.entity_scores(sentences) == (tags, scores)
    for i in range(0, len(sentences), 40):
        assert tagger.entity_scores([sentences[i]]) == ([tags[i]], [scores[i]])


@pytest.mark.parametrize("mode", ["force", "prefer"])
def test_engines_agree(mode):
    lists = LISTS if mode == "force" else {"PER": LISTS["PER"], "O": LISTS["O"]}
    sentences = ["Angela Merkel met Tim Cook in Cupertino .".split(), ["Oslo"], "Dr. Dre".split()]
    native, onnx = (
        load(engine=e).with_phrases(lists, mode=mode) for e in ("native", "onnxruntime")
    )
    assert native.tag_batch(sentences) == onnx.tag_batch(sentences)
    for a, b in zip(*(t.entity_scores(sentences)[1] for t in (native, onnx)), strict=True):
        assert a == pytest.approx(b, abs=0.02)  # fixed point


def test_texts(engine):
    text = "Angela Merkel met Dr. Dre in Cupertino. She bought an iPhone 17, and Tim left."
    tagger = load(engine=engine).with_phrases(
        {"PRODUCT": ["iPhone 17"], "PER": ["Dr. Dre"], "O": ["Cupertino"]}
    )
    plain = {e.text for e in load(engine=engine)(text).entities}
    assert {"Dre", "Cupertino"} <= plain  # the title is no part of a name, elsewhere
    doc = tagger(text)
    assert [(e.text, e.label) for e in doc.entities] == [
        ("Angela Merkel", "PER"), ("Dr. Dre", "PER"), ("iPhone 17", "PRODUCT"), ("Tim", "PER")
    ]  # fmt: skip
    assert all(text[e.start : e.end] == e.text for e in doc.entities)
    assert doc.tags[1][3:5] == ("B-PRODUCT", "I-PRODUCT")
    scored = tagger(text, scores=True)
    assert [e._replace(score=None) for e in scored.entities] == list(doc.entities)
    assert [e.score for e in scored.entities][1:3] == pytest.approx([1.0, 1.0])
    assert 0 < scored.entities[0].score < 1
    data = text.encode()
    columns = tagger.tag_utf8(data, np.array([0, len(data)]))
    assert columns.start.tolist() == [e.start for e in doc.entities]
    assert [tagger.labels[i] for i in columns.label] == [e.label for e in doc.entities]
    tokens = tagger.tag_utf8_tokens(data, np.array([0, len(data)]))
    assert tuple(tagger.tags[i] for i in tokens.tag) == doc.tags[0] + doc.tags[1]
    texts = [text, "", "No name.", text[::-1]] * 20
    docs = [tagger(text) for text in texts]
    assert list(tagger.pipe(texts, batch_tokens=50)) == docs
    assert list(tagger.pipe(texts, batch_tokens=50, n_threads=2)) == docs


def test_labels_and_tags():
    tagger = load().with_phrases({"PRODUCT": ["iPhone"], "PER": []})
    assert tagger.labels == ["LOC", "MISC", "ORG", "PER", "PRODUCT"]
    assert tagger.tags == [*load().tags, "B-PRODUCT", "I-PRODUCT"]
    assert tagger.with_phrases({}).labels == load().labels  # lists are replaced
    assert load().labels == load().manifest.labels
    sentences = sentences_of(4)
    assert load().with_phrases({}).tag_batch(sentences) == load().tag_batch(sentences)


# ---- its life ------------------------------------------------------------------------------------


def test_each_is_closed_for_itself(engine):
    parent = fastner.load(engine=engine)
    child = parent.with_phrases({"X": ["Oslo"]})
    parent.close()
    with pytest.raises(FastnerError, match="closed"):
        parent.tag(["Oslo"])
    with pytest.raises(FastnerError, match="closed"):
        parent.with_phrases({})
    assert child.tag(["Oslo"]) == ["B-X"]
    other = child.with_phrases({})
    with child:
        pass
    with pytest.raises(FastnerError, match="closed"):
        child.tag(["Oslo"])
    assert other.tag(["Oslo"]) == ["B-LOC"]


def test_they_share_the_model_and_the_words():
    with fastner.load() as parent, parent.with_phrases({"X": ["Oslo"]}) as child:
        child.tag(["Oslo", "zyzzyva"])
        assert len(parent._cache) == 2
        assert child._engine is parent._engine


LONG_LISTS = {
    "X": ["Oslo", "New York City", ["New", "York"], "Étienne 😀 中文" * 9, "a" * 40, "U.S."],
    "O": [["Mercury"], "Ada Lovelace Inc."],
    "Y": [],
}


@pytest.mark.parametrize("options", [{}, {"ignore_case": True}])
def test_it_pickles_with_its_phrases(options):
    sentences = [["in", "New", "York"], ["New", "York", "City"], ["oslo", "a" * 40, "Mercury"]]
    sentences += map(list, load().with_phrases(LONG_LISTS)._phrases.spelled()[0])
    text = "He is in the U.S. Ada Lovelace Inc. is in new york city."
    with fastner.load(threads=1) as parent:
        tagger = parent.with_phrases(LONG_LISTS, **options)
        other = parent.with_phrases(LONG_LISTS, **options)
        sent = pickle.dumps(tagger)
        assert pickle.loads(sent) is tagger is not pickle.loads(pickle.dumps(other))
        assert pickle.loads(pickle.dumps(parent)).labels == parent.labels
        wanted = tagger.tag_batch(sentences), tagger(text, scores=True), tagger.labels
        assert any("B-X" in row for row in wanted[0])
        tagger.close()
        other.close()
    opened = pickle.loads(sent)
    assert opened is not tagger and pickle.loads(sent) is opened
    assert wanted == (opened.tag_batch(sentences), opened(text, scores=True), opened.labels)
    again = {tuple(sorted(rows)) for rows in opened._phrases.spelled()}
    opened.close()
    assert again == {tuple(sorted(rows)) for rows in pickle.loads(sent)._phrases.spelled()}


def test_preferred_phrases_keep_their_weight_in_other_processes():
    with fastner.load(threads=1) as parent:
        tagger = parent.with_phrases({"ORG": ["Oslo"]}, mode="prefer", weight=9.0)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, context) as pool:
            found = pool.submit(tagger.entity_scores, [["in", "Oslo"]]).result()
        assert found == tagger.entity_scores([["in", "Oslo"]])
        assert found != parent.entity_scores([["in", "Oslo"]])
        tagger.close()
        with pytest.raises(FastnerError, match="expected an open tagger"):
            pickle.dumps(tagger)


def test_a_folded_character_is_folded_for_good():
    cased = [[c] for c in map(chr, range(sys.maxunicode + 1)) if (c.lower(), c.upper()) != (c, c)]
    once = load().with_phrases({"X": cased}, ignore_case=True)._phrases.spelled()[0]
    again = load().with_phrases({"X": once}, ignore_case=True)._phrases.spelled()[0]
    assert len(once) > 1000 and sorted(once) == sorted(again)


@settings(max_examples=50)
@given(st.dictionaries(rows.map(tuple), st.sampled_from("XYO"), max_size=30), st.booleans())
def test_what_is_spelled_is_what_was_added(phrases, ignore_case):
    fold = simple_fold if ignore_case else str
    phrases = {tuple(map(fold, phrase)): label for phrase, label in phrases.items()}
    lists = {x: [list(row) for row, label in phrases.items() if label == x] for x in "XYO"}
    tagger = load().with_phrases(lists, ignore_case=ignore_case)
    spelled = tagger._phrases.spelled()
    for rows_of, given_ in zip(spelled, lists.values(), strict=True):
        assert sorted(rows_of) == sorted(map(tuple, given_))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_tags():
    with fastner.load(threads=1) as parent, parent.with_phrases({"X": ["Oslo"]}) as tagger:
        assert tagger.tag(["Oslo"]) == ["B-X"]
        child = os.fork()
        if not child:
            os._exit(tagger.tag(["in", "Oslo"]) != ["O", "B-X"])
        assert os.waitpid(child, 0)[1] == 0


def test_threads_share_it():
    sentences = sentences_of(5, 100)
    tagger = load().with_phrases(LISTS)
    wanted, results = tagger.tag_batch(sentences), []
    workers = [
        threading.Thread(target=lambda: results.append(tagger.tag_batch(sentences) == wanted))
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [True] * 4


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phrases", "options", "message"),
    [
        ([("X", ["a"])], {}, "a mapping from labels to lists, got list"),
        ({"X": "iPhone"}, {}, r"phrases\['X'\] as a list of phrases, got str"),
        ({"X": 3}, {}, r"phrases\['X'\] as a list of phrases, got int"),
        ({"X": ["a", 3]}, {}, r"phrases\['X'\]\[1\]: expected a str or a list of words .* got 3"),
        ({"X": [["a", ""]]}, {}, r"phrases\['X'\]\[0\]: .* not empty"),
        ({"X": ["a", "b", "\n "]}, {}, r"phrases\['X'\]\[2\]: .* at least one word .*got '\\n '"),
        ({"X": [[]]}, {}, r"phrases\['X'\]\[0\]: expected a phrase of at least one word"),
        ({"X": [["a"] * 65]}, {}, r"phrases\['X'\]\[0\]: expected at most 64 words, got 65"),
        ({"X": ["a b"], "Y": ["c", "a  b"]}, {}, r"\['Y'\]\[1\]: .* no other list .* under 'X'"),
        ({"X": ["A"], "O": ["a"]}, {"ignore_case": True}, r"phrases\['O'\]\[0\]: .* under 'X'"),
        ({"": ["a"]}, {}, "a label as a str without white space at an edge, got ''"),
        ({"a ": ["a"]}, {}, "a label as a str without white space at an edge, got 'a '"),
        ({1: ["a"]}, {}, "a label as a str without white space at an edge, got 1"),
        ({"X": ["a"]}, {"mode": "prefer"}, "one of the model's labels .*LOC, MISC, ORG, PER.*'X'"),
        ({}, {"mode": "ban"}, "mode=\"force\" or \"prefer\", got 'ban'"),
        ({}, {"weight": 1.0}, 'no weight in mode "force", got 1.0'),
        ({}, {"mode": "prefer", "weight": 0}, "a weight above 0 and up to 1e6, got 0"),
        ({}, {"mode": "prefer", "weight": float("nan")}, "a weight above 0"),
        ({}, {"mode": "prefer", "weight": "3"}, "a weight above 0 and up to 1e6, got '3'"),
    ],
)  # fmt: skip
def test_wrong_arguments(phrases, options, message):
    with pytest.raises(InputError, match=message):
        load().with_phrases(phrases, **options)


def test_a_phrase_may_have_64_words_and_stand_twice_in_a_list():
    words = ["very"] * 64
    tagger = load().with_phrases({"X": (phrase for phrase in (words, words, "a b", "a  b"))})
    assert tagger.tag([*words, "very"]) == ["B-X"] + ["I-X"] * 63 + ["O"]
    assert tagger.tag(["a", "b"]) == ["B-X", "I-X"]
