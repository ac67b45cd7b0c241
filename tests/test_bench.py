"""The benchmark harness: its arithmetic, its JSON lines and its words; no speed is tested."""

import json
import re
import shutil
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "bench" / "harness.py").is_file():
    pytest.skip("bench/ is not beside tests/", allow_module_level=True)
sys.path.insert(0, str(ROOT))

import reference
from small import needs, write_corpus

from bench import (
    ablations,
    accuracy,
    cards,
    corpus,
    deployment,
    documents,
    goals,
    harness,
    micro,
    name_lists,
    new_label,
    raw_text,
    russian_vectors,
    stages,
    subject,
    text,
    training,
    words,
)
from bench.detokenise import FORMS, is_prose, wrapped
from bench.detokenise import raw_text as put_together
from bench.harness import Recorder, Timing, alternate, quantile
from bench.rivals import bert, trainer
from bench.rivals.client import Missing, Process, rival
from fastner.bundle import make_bundle, read_bundle, write_bundle
from fastner.corpus import Corpus, read_conll
from fastner.errors import InputError
from fastner.scoring import score
from fastner.tags import TagScheme
from fastner.text import tokenize


def test_timing_gives_minimum_median_and_the_median_of_the_rounds_ratios():
    ours = Timing((1.0, 2.0, 9.0))
    other = Timing((2.0, 8.0, 9.0))
    assert (ours.minimum, ours.median) == (1.0, 2.0)
    assert ours.over(other) == 0.5  # of 0.5, 0.25, 1.0; the ratio of the medians is 0.25
    with pytest.raises(ValueError, match="one alternation, got 3 and 1"):
        ours.over(Timing((1.0,)))


def test_cases_run_in_turn_after_a_warm_up_that_does_not_count():
    order = []

    def case(name):
        def repeat():
            order.append(name)
            return float(len(order))

        return repeat

    timings = alternate({"a": case("a"), "b": case("b")}, 3)
    assert order == list("abababab")
    assert timings["a"].samples == (3.0, 5.0, 7.0)
    assert timings["b"].samples == (4.0, 6.0, 8.0)


def test_preparation_is_not_timed_and_short_functions_are_called_often(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(harness.time, "perf_counter", lambda: now[0])

    def work(seconds):
        now[0] += seconds

    def prepare():
        now[0] += 100.0
        return 2.0

    assert harness.timed(work, prepare)() == pytest.approx(2.0)
    calls = []
    often = harness.timed_often(lambda: (calls.append(1), work(0.001)))
    assert often() == pytest.approx(0.001)
    assert len(calls) > 1


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.5, 2), (0.75, 3), (0.76, 4), (1.0, 4)]
)
def test_quantile_is_the_smallest_value_that_this_share_does_not_exceed(share, expected):
    assert quantile([4, 2, 1, 3], share) == expected


def test_a_measurement_is_one_line_of_json_that_says_all(tmp_path):
    environment = harness.environment(core=None, threads=1, model="english")
    recorder = Recorder(tmp_path / "new" / "run.jsonl", environment)
    recorder.add("throughput", "all", Timing((0.5, 0.25)), tokens=75, engine="onnxruntime")
    recorder.add("memory", "held", rss_bytes=1)
    first, second = map(json.loads, recorder.path.read_text(encoding="utf-8").splitlines())
    assert first["seconds_min"] == 0.25
    assert first["seconds_median"] == 0.375
    assert first["tokens_per_second"] == 200
    assert first["repeats"] == 2
    assert second["rss_bytes"] == 1
    assert {"commit", "cpu", "cores", "core", "threads", "versions", "python", "model"} <= set(
        first["environment"]
    )
    assert {"load", "time", "question", "case"} <= set(first)
    with pytest.raises(ValueError, match="JSON"):
        recorder.add("memory", "held", rss_bytes=float("nan"))


def test_durations_are_shown_with_three_digits():
    shown = [harness.duration(s) for s in (12.34, 0.5, -0.00456, 0.0000123, 0.0000000123)]
    assert shown == ["12.3 s", "500 ms", "-4.56 ms", "12.3 µs", "0.01 µs"]


def test_made_up_sentences_are_the_same_for_the_same_seed():
    some = words.made_up(50, seed=1)
    assert some == words.made_up(50, seed=1)
    assert some != words.made_up(50, seed=2)
    assert all(sentence and all(sentence) for sentence in some)
    assert not any("{" in word for sentence in some for word in sentence)
    read = words.read_words(corpus=Path("absent"), seed=1)
    assert read.gold is None
    assert read.f1(read.sentences) is None


@pytest.mark.parametrize(
    ("words_apart", "text"),
    [
        (
            """The club 's men , who did n't play ( or could not ) , said : " We 'll go . \"""",
            """The club's men, who didn't play (or could not), said: "We'll go.\"""",
        ),
        ("He paid $ 5.50 or C$ 7 , 3 % more .", "He paid $5.50 or C$7, 3% more."),
        ('" Ada , " he said , " is here . "', '"Ada," he said, "is here."'),
        ("the Mets ' win in ' 91", "the Mets' win in '91"),
        ("He said , ' You have to . '", "He said, 'You have to.'"),
        ("O 'Neill of N 'Djamena", "O'Neill of N'Djamena"),
        ("`LOST PASSPORT ' AND ` NO '", "`LOST PASSPORT' AND `NO'"),
        ("futures / swaps at 5 / 8 : up !?", "futures/swaps at 5/8: up!?"),
        ("SOCCER - RESULTS -- FRIDAY", "SOCCER - RESULTS -- FRIDAY"),
        ("I 'm gon na go ...", "I'm gonna go..."),
    ],
)
def test_words_stand_as_in_print(words_apart, text):
    assert put_together([words_apart.split()], "a line each").text == text


def test_offsets_of_raw_text_give_the_words_back_in_every_form():
    sentences = [*words.made_up(60, seed=3), ["Ajax"] * 20]
    sentences += [['"', "It", "is", "."], ["So", ",", '"', "he", "said", ".", '"'], ["Next", "."]]
    texts = {}
    for form in FORMS:
        raw = put_together(sentences, form)
        texts[form] = raw.text
        back = [raw.text[start:end] for sentence in raw.sentences for start, end in sentence]
        assert back == [word for sentence in sentences for word in sentence]
        assert raw == put_together(sentences, form)
    assert texts["a line each"].count("\n") == len(sentences) - 1
    assert texts["flowing"].count("\n") < texts["wrapped"].count("\n")
    assert texts["wrapped"].count("\n") < texts["wrapped, lists too"].count("\n")
    assert texts["flowing"].split() == texts["wrapped, lists too"].split()
    with pytest.raises(ValueError, match="expected one of a line each, flowing, .* got 'x'"):
        put_together(sentences, "x")


def test_a_quote_that_opens_behind_a_sentence_begins_the_next_line():
    sentences = ['" Go , " he said . "'.split(), 'They will . "'.split()]
    raw = put_together(sentences, "a line each")
    assert raw.text == '"Go," he said.\n"They will."'
    assert [len(sentence) for sentence in raw.sentences] == [7, 5]


def test_prose_flows_and_headlines_and_rows_keep_their_lines():
    sentences = [
        row.split()
        for row in (
            "SOCCER - RESULTS .",
            "OSLO 1996-08-30",
            "They played and lost .",
            "It was not their day .",
            "Standings :",
            "Ajax 3 1 0",
            "Results in an",
            "early match and a late one .",
        )
    ]
    assert [is_prose(s) for s in sentences] == [0, 0, 1, 1, 0, 0, 0, 1]
    assert put_together(sentences, "flowing").text.split("\n") == [
        "SOCCER - RESULTS.",
        "OSLO 1996-08-30",
        "",
        "They played and lost. It was not their day.",
        "",
        "Standings:",
        "Ajax 3 1 0",
        "Results in an",
        "early match and a late one.",
    ]


def test_wrapping_changes_blanks_only_and_keeps_to_the_width():
    line = "aa bb cc " + "d" * 12 + " ee"
    assert wrapped(line, 8) == "aa bb cc\ndddddddddddd\nee"
    assert wrapped(line, 100) == line
    row = ["Ajax", *["3"] * 50]
    prose = ["They", *["won"] * 30, "."]
    text = put_together([prose, row], "wrapped").text
    assert [len(line) for line in text.split("\n")] == [72, 52, 0, 104]
    text = put_together([prose, row], "wrapped, lists too").text
    assert [len(line) for line in text.split("\n")] == [72, 52, 0, 72, 31]


def test_tokens_and_ends_are_counted_by_characters():
    sentences = ['" Al - Ada is .'.split(), 'It rains . "'.split()]
    raw = put_together(sentences, "a line each", hyphenated=True)
    assert raw.text == '"Al-Ada is.\nIt rains."'
    gold = raw_text.gold_split(raw, hyphenated=True)
    assert [raw.text[s:e] for s, e in gold[0]] == ['"', "Al-Ada", "is", "."]
    assert raw_text.gold_split(raw, hyphenated=False) == raw.sentences
    whole = [[token for sentence in gold for token in sentence]]
    ends = raw_text.ends_of(gold, raw.text)
    assert {raw.text[:end][-1] for end in ends} == {"."}  # not the quote
    scores = raw_text.agreement([ends], [raw_text.ends_of(whole, raw.text)])
    assert (scores.precision, scores.recall) == (1.0, 0.5)
    assert text.token_f1([raw], [raw.sentences]) == 100
    assert text.token_f1([raw], [gold]) == pytest.approx(100 * 2 * 7 / (10 + 8))


def test_entities_by_characters_and_what_raw_text_loses():
    sentences = [["Ada", "of", "Acme", "Co", "."], ["Oslo", "rains", "."]]
    tags = [["B-PER", "O", "B-ORG", "I-ORG", "O"], ["B-LOC", "O", "O"]]
    raw = put_together(sentences, "a line each")
    gold = raw_text.entities_of(raw, tags)
    assert {(raw.text[s:e], label) for s, e, label in gold} == {
        ("Ada", "PER"), ("Acme Co", "ORG"), ("Oslo", "LOC")
    }  # fmt: skip
    split = [[(0, 3), (4, 6), (7, 11), (12, 15), (16, 20), (21, 26), (26, 27)]]
    found = {(0, 3, "PER"), (7, 15, "ORG"), (16, 26, "LOC")}
    kinds = [
        (loss.kind, loss.example.split(" in ")[0])
        for loss in raw_text.losses_of(raw_text.Tagged(raw, split, gold, gold, found))
    ]
    assert kinds == [
        ("lost: tokens at its edges", "'Acme Co' ORG, found 'Acme Co.' ORG"),
        ("added: its sentence runs on", "'Acme Co.' ORG"),
        ("lost: its sentence begins elsewhere", "'Oslo' LOC, found 'Oslo rains' LOC"),
        ("added: its sentence begins elsewhere", "'Oslo rains' LOC"),
    ]
    trimmed = raw_text.without_shared_dot(raw)
    assert set(map(trimmed, found)) == {(0, 3, "PER"), (7, 14, "ORG"), (16, 26, "LOC")}


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_staged_calls_do_what_the_tagger_does(engine):
    sentences = words.made_up(30, seed=4)
    texts = [put_together(sentences[at : at + 10], "flowing").text for at in (0, 10, 20)]
    try:
        tagger = subject.load(ROOT / "tests" / "golden" / "bundle-1.3", engine=engine)
    except InputError as error:
        pytest.skip(str(error))
    with tagger:
        expected = tagger.tag_batch(sentences)
        for new in (True, False):
            if new:
                subject.forget(tagger)
            seconds, tags = subject.staged(tagger, sentences)
            assert tags == expected
            assert tuple(seconds) == subject.STAGES
            assert (seconds["character GRU"] > 0) == new
            assert seconds["LSTM"] > 0 and seconds["Viterbi"] > 0
        seconds, documents = subject.staged_texts(tagger, texts)
        assert documents == list(tagger.pipe(texts))
        assert all(seconds[stage] > 0 for stage in subject.TEXT_STAGES)
        split = list(map(subject.words_of, texts))
        text.check(tagger, texts, split)
        lines = [line for one in texts for line in subject.sentences_of(one)]
        assert len(lines) == sum(map(len, split))
        assert all(line.strip() == line for line in lines)
        if engine == "onnxruntime":
            floor = subject.Floor(tagger, sentences, 10)
            assert floor() > 0
            assert floor.cells >= sum(map(len, sentences))


def test_markup_is_no_word_of_a_text():
    raw = "*Ada* saw Oslo."
    document = SimpleNamespace(
        sentences=tokenize(raw),
        tags=[["O" if t.markup else t.text for t in s] for s in tokenize(raw)],
    )
    assert subject.words_of(raw) == [["Ada", "saw", "Oslo", "."]]
    assert list(subject.tags_of(document)) == ["Ada", "saw", "Oslo", "."]


def test_raw_text_is_checked_against_the_words_before_it_is_timed():
    class Tagger:
        def __init__(self, tags):
            self.tags = tags

        def __call__(self, text):
            return SimpleNamespace(tags=(tuple(self.tags),), sentences=tokenize(text))

        def pipe(self, texts, *, batch_tokens):
            return [self(text) for text in texts]

        def tag_batch(self, sentences):
            return [["B-LOC", "I-LOC", "O", "O"] for _ in sentences]

    def check(*tags):
        text.check(Tagger(tags), ["Oslo ! rains ."], [[["Oslo", "!", "rains", "."]]])

    check("B-LOC", "I-LOC", "O", "O")
    check("B-LOC", "O", "O", "O")  # trimmed
    with pytest.raises(SystemExit, match="expected B-LOC for 'Oslo' as from tag_batch, got O"):
        check("O", "O", "O", "O")
    loses = Tagger(["O"])
    loses.pipe = lambda texts, batch_tokens: []
    with pytest.raises(SystemExit, match="the documents of tagger"):
        text.check(loses, ["a"], [[["a"]]])


def test_mutated_words_are_new_and_as_many_as_asked_for():
    old = words.made_up(400, seed=1)
    known = {word for sentence in old for word in sentence}
    fresh = []
    for seed in (1, 2):
        new = words.mutated(old, 0.05, seed=seed)
        assert [len(s) for s in new] == [len(s) for s in old]
        fresh.append([w for sentence in new for w in sentence if w not in known])
        share = len(fresh[-1]) / sum(map(len, old))
        assert 0.03 < share < 0.07
        assert len(set(fresh[-1])) == len(fresh[-1])
    assert not set(fresh[0]) & set(fresh[1])


def test_a_part_of_the_words_keeps_their_tags_and_spreads_over_the_whole():
    whole = words.Words([[str(i)] for i in range(10)], [[f"t{i}"] for i in range(10)], "made")
    part = whole.first(3)
    assert part.sentences == [["0"], ["3"], ["6"]]
    assert part.gold == [["t0"], ["t3"], ["t6"]]
    assert whole.first(100).sentences == whole.sentences


def test_shares_of_stages_and_what_is_left_over_make_up_the_whole(tmp_path):
    class Session:
        recorder = Recorder(None, {})

    whole = Timing((2.0, 4.0))
    noted = [dict.fromkeys(subject.STAGES, s / 10) for s in (2.0, 4.0)]
    stages.shares(Session, "plan", "native", whole, noted, 100)
    shares = {r["stage"]: r["share"] for r in Session.recorder.records if "stage" in r}
    assert shares["LSTM"] == pytest.approx(0.1)
    assert shares["left over"] == pytest.approx(0.4)  # of six stages
    assert sum(shares.values()) == pytest.approx(1.0)


def test_sentences_without_gold_tags_get_some_to_learn():
    gold = words.Words([["a"]], [["B-X"]], "made")
    assert gold.tagged() == [["B-X"]]
    some = words.Words(words.made_up(50, seed=1), None, "made")
    pairs = {
        (word.istitle(), tag)
        for sentence, tags in zip(some.sentences, some.tagged(), strict=True)
        for word, tag in zip(sentence, tags, strict=True)
    }
    assert pairs == {(False, "O"), *((True, f"B-{label}") for label in words.LABELS)}


def test_the_parts_of_an_epoch_make_up_the_whole(capsys):
    class Session:
        recorder = Recorder(None, {})

    case = training.Case(None, steps=10, shapes=3, first=0.0)
    timings = {
        training.STEPS: Timing((0.8, 1.6)),
        "character GRU": Timing((0.6, 1.2)),
        "LSTM": Timing((0.5, 1.0)),
        "CRF": Timing((0.9, 1.8)),  # noise: without it takes longer
        training.BATCHES: Timing((0.5, 1.0)),
        training.AVERAGING: Timing((0.5, 1.0)),
        training.DEV: Timing((1.0, 2.0)),
    }
    whole = {"seconds": 20.0, "steps_by_sample": 16.0}
    training._report_epoch(Session, words.Words([["a"]], None, "made"), case, timings, whole)
    shares = {r["case"]: r["share"] for r in Session.recorder.records if "share" in r}
    assert shares.pop("an epoch of the default recipe") == 1.0
    assert shares[training.STEPS] == pytest.approx(0.8)
    assert shares["LSTM"] == pytest.approx(0.3)
    assert shares["CRF"] == pytest.approx(-0.1)
    assert sum(shares.values()) - shares[training.STEPS] == pytest.approx(1.0)
    assert "between its steps: 95 % of that" in capsys.readouterr().out  # 16 + 0.75 + 0.75 + 1.5


def test_a_sample_of_batches_spreads_over_their_lengths():
    batches = [SimpleNamespace(tag_ids=np.zeros((2, t))) for t in (7, 1, 9, 3, 5, 2, 8, 4)]
    assert [batch.tag_ids.shape[1] for batch in trainer.spread(batches, 2)] == [3, 8]
    assert [batch.tag_ids.shape[1] for batch in trainer.spread(batches, 1)] == [5]
    assert len(trainer.spread(batches, 9)) == 8


def test_training_in_a_process_of_its_own():
    needs("keras", extra="train")
    corpus = words.Words(words.made_up(40, seed=1), None, "made")
    tagged = {"sentences": corpus.sentences, "tags": corpus.tagged()}
    choices = {"clusters": False, "hidden": [4], "character_hidden": [3], "batch_sentences": 16}
    options = {"cores": [None], "backend": "tensorflow", "threads": 1}
    with rival("trainer", **options) as (process, said):
        assert {"keras", "tensorflow"} == set(said["versions"])
        process.ask("take", preset="default", choices=choices, train=tagged, dev=tagged)
        for order in ("bucketed", "random", "padded"):
            case = process.ask("open", case=order, order=order, sample=2)
            assert (case["steps"], case["sample"]) == (3, 2)
            assert case["first_seconds"] > 0
        process.ask("parts")
        for case in ("bucketed", training.BATCHES, training.AVERAGING, training.DEV):
            assert process.repeat(case=case)() >= 0
        whole = process.ask("epoch", sample=2)
        assert whole["seconds"] > whole["steps_by_sample"] / 10 > 0
    needs("tensorflow_addons", extra="tfa")
    with rival("notebook_trainer", cores=[None]) as (process, _):
        assert process.ask("take", **tagged)["first_seconds"] > process.repeat()() > 0


@pytest.mark.filterwarnings("ignore:`build\\(\\)` was called")  # what is left out is not built
@pytest.mark.parametrize("part", training.PARTS)
def test_a_network_without_a_part_has_fewer_weights_and_a_loss_that_ignores_padding(part):
    needs("keras", extra="train")
    from fastner.training.network import Network
    from fastner.training.recipe import preset

    rng = np.random.default_rng(0)
    inputs = {
        "vectors": rng.standard_normal((5, 2), np.float32),
        "tuned": np.arange(5, dtype=np.int32),
        "characters": rng.integers(0, 9, (5, 4), np.int32),
        "character_lengths": np.array([4, 1, 2, 3, 4], np.int32),
        "cases": np.zeros(5, np.int32),
        "categories": np.zeros((5, 0), np.int32),
        "tokens": np.array([[0, 1, 2], [3, 4, 4]], np.int32),
        "lengths": np.array([3, 2], np.int32),
    }
    tag_ids = np.array([[1, 0, 2], [3, 0, 0]], np.int32)
    wider = inputs | {"tokens": np.pad(inputs["tokens"], ((0, 0), (0, 2)))}

    def build():
        widths = {"hidden": (4,), "character_hidden": (3,), "character_width": 3}
        recipe = preset("default").updated(**widths)
        return Network(
            recipe, characters=9, vector_width=2, tuned_rows=5, tags=["O", "B-X", "I-X", "E-X"]
        )

    whole, network = build(), trainer.without(part, build())
    whole(inputs)
    emissions = np.asarray(network(inputs))
    loss = float(network.compute_loss(inputs, tag_ids, emissions))
    padded = network.compute_loss(wider, np.pad(tag_ids, ((0, 0), (0, 2))), network(wider))
    assert float(padded) == pytest.approx(loss, rel=1e-5)
    if part != "CRF":
        assert network.count_params() < whole.count_params()
    else:
        exponentials = np.exp(emissions)
        chosen = np.take_along_axis(exponentials, tag_ids[:, :, None], 2)[:, :, 0]
        surprise = -np.log(chosen / exponentials.sum(2))
        assert loss == pytest.approx((surprise[0].sum() + surprise[1, :2].sum()) / 2, rel=1e-5)


def test_the_numpy_decoders_agree_with_the_crf():
    from fastner.crf import CRF

    random = np.random.default_rng(0)
    emissions = random.standard_normal((3, 5, 4), np.float32)
    transitions = random.standard_normal((4, 4), np.float32)
    zeros, lengths = np.zeros(4, np.float32), np.full(3, 5, np.int32)
    crf = CRF(zeros, transitions, zeros)
    np.testing.assert_array_equal(
        micro.numpy_viterbi(emissions, transitions), crf.decode(emissions, lengths)
    )
    np.testing.assert_allclose(
        micro.numpy_marginals(emissions, transitions),
        crf.marginals(emissions, lengths),
        atol=1e-6,
    )


@pytest.mark.parametrize("runtime", deployment.RUNTIMES)
def test_an_export_answers_alike_in_each_runtime(runtime, tmp_path):
    pytest.importorskip("onnx", reason="exporting needs the train extra")
    try:
        command = deployment.RUNTIMES[runtime]()
    except Missing as error:
        pytest.skip(str(error))
    from fastner.deploy import export_onnx
    from fastner.verify import ExportedModel

    export_onnx(ROOT / "tests" / "golden" / "bundle-1.0", tmp_path / "export")
    sentences = [["Ada", "of", "Acme", "spoke", "."], [], ["Oslo", "😀"]]
    wanted = ExportedModel(tmp_path / "export").tag_batch(sentences)
    with closing(Process(runtime, command)) as process:
        options = {"directory": str(tmp_path / "export"), "core": None}
        said = process.ask("start", options=options)
        assert said["load_seconds"] > 0 and said["versions"] and said["note"] == ""
        process.ask("sentences", sentences=sentences)
        for batch in (1, 32):
            assert process.ask("tags", batch=batch)["tags"] == wanted
            assert process.repeat(batch=batch)() > 0
        with pytest.raises(RuntimeError, match=f"^{runtime}: "):
            process.ask("dance")


def test_deployment_ends_where_tags_change_that_must_not():
    def case(variant, tag, by_batch=0):
        return deployment.Case("Node", variant, None, [[tag]], {"changed_by_batch": by_batch})

    first = case("float32", "O")
    for fine in (first, case("int8", "B-X"), case("as stored, LSTM int8", "B-X", by_batch=1)):
        deployment._check(fine, first)
        assert fine.values["changed"] == (fine is not first)
    with pytest.raises(SystemExit, match="to tag as Node, float32, got other tags for 1"):
        deployment._check(case("float32", "B-X"), first)
    rounding = case("float32", "B-X")._replace(runtime=deployment.OWN)
    deployment._check(rounding, first)
    assert rounding.values["changed"] == 1
    with pytest.raises(SystemExit, match="Node, int8 to tag sentences alike .* for 2: nothing"):
        deployment._check(case("int8", "O", by_batch=2), first)


def test_a_rival_answers_in_json_whatever_it_prints(tmp_path):
    script = tmp_path / "noisy.py"
    script.write_text(
        "from bench.rivals.worker import serve\n"
        "class Noisy:\n"
        "    def imports(self, options): print('hello')\n"
        "    def load(self, options): pass\n"
        "    def describe(self): return {'versions': {'noisy': '1'}, 'note': ''}\n"
        "    def tag(self, sentences, batch): return [['O'] * len(s) for s in sentences]\n"
        "serve(Noisy())\n"
    )
    requests = [
        {"do": "start", "options": {}},
        {"do": "sentences", "sentences": [["a", "\ud800"], ["c"]]},
        {"do": "tags", "batch": 1},
        {"do": "run", "batch": 1},
        {"do": "latency", "sentences": 2},
        {"do": "run", "batch": 1, "cold": True},
    ]
    run = subprocess.run(
        [sys.executable, str(script)],
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True, text=True, timeout=120, check=True,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    said, _, tagged, timed, single, refused = map(json.loads, run.stdout.splitlines())
    assert said["versions"] == {"noisy": "1"}
    assert said["load_seconds"] >= 0
    assert tagged["tags"] == [["O", "O"], ["O"]]
    assert timed["seconds"] > 0
    assert len(single["seconds"]) == 2
    assert "forget" in refused["error"]


def test_a_start_is_counted_after_numpy():
    model = str(ROOT / "tests" / "golden" / "bundle-1.3")
    with rival("fastner_tagger", core=None, model=model, engine="native") as (_, said):
        assert 0 < said["start_seconds"] < said["import_seconds"] + said["load_seconds"]
        assert said["start_growth"] > 0


def test_a_rival_over_raw_text_gives_offsets_and_seconds(tmp_path):
    script = tmp_path / "blanks.py"
    script.write_text(
        "import re\n"
        "from bench.rivals.texts import by_sentence, serve_texts\n"
        "class Blanks:\n"
        "    few = ('slow',)\n"
        "    def imports(self): pass\n"
        "    def load(self): pass\n"
        "    def describe(self): return {'versions': {}, 'note': ''}\n"
        "    def ways(self): return {'fast': list, 'slow': lambda texts: texts[1]}\n"
        "    def split(self, text):\n"
        "        tokens = [m.span() for m in re.finditer(r'\\w+', text)]\n"
        "        lines = [m.span() for m in re.finditer('.+', text)]\n"
        "        return by_sentence(tokens, lines)\n"
        "serve_texts(Blanks())\n"
    )
    command = [sys.executable, str(script)]
    with (
        pytest.MonkeyPatch.context() as patched,
        closing(
            (patched.setenv("PYTHONPATH", str(ROOT)), Process("blanks", command))[1]
        ) as process,
    ):
        said = process.ask("start", options={})
        assert (said["ways"], said["few"]) == (["fast", "slow"], ["slow"])
        process.ask("texts", texts=["a bc\n\nd", "e"])
        split = raw_text.splits_of(process.ask("split"))
        assert split == [[[(0, 1), (2, 4)], [(6, 7)]], [[(0, 1)]]]
        assert process.repeat(way="fast")() >= 0
        assert process.repeat(way="slow", texts=2)() >= 0
        with pytest.raises(RuntimeError, match="IndexError"):
            process.ask("run", way="slow", texts=1)


def test_accuracy_by_kind_of_text_and_seed(tmp_path, capsys, monkeypatch):
    needs("keras", extra="train")
    for folder in ("conll2003", "wnut17", "conll-de"):
        (tmp_path / folder).mkdir()
    news = write_corpus(tmp_path / "conll2003" / "valid.txt", sentences=50, seed=2)
    (tmp_path / "wnut17" / "dev.conll").write_text(
        "Ada\tB-person\nmoved\tO\nfrom\tO\nOslo\tB-product\n\nAcme\tB-group\nspoke\tO\n"
    )
    (tmp_path / "conll-de" / "dev.tsv").write_text("Ada\tB-PER\nkam\tO\n")
    golden = ROOT / "tests" / "golden" / "bundle-1.4"
    for name in ("m-1", "m-2", "n-3"):
        shutil.copytree(golden, tmp_path / name)
    bundle = read_bundle(golden)
    german = replace(bundle.manifest, language="de")
    contents = {"words": bundle.words(), "arrays": bundle.arrays}
    contents |= {"words_onnx": bundle.words_onnx, "sentences_onnx": bundle.sentences_onnx}
    write_bundle(tmp_path / "german", make_bundle(german, **contents))

    def tagged(sentences):
        return [["B-PER", *["O"] * (len(words) - 1)] for words in sentences]

    asked = []

    class Spacy:
        def ask(self, do, **request):
            asked.append(request)
            return {} if do == "sentences" else {"tags": tagged(asked[-2]["sentences"])}

    there = [True]

    @contextmanager
    def rival(name, **options):
        if not there.pop():
            raise Missing(f"{name} is not here")
        yield Spacy(), {"versions": {}, "note": ""}

    monkeypatch.setattr(accuracy, "rival", rival)

    def run(*names):
        recorder = Recorder(None, {})
        accuracy.run(
            SimpleNamespace(
                models=[str(tmp_path / name) for name in names], corpus=tmp_path / "conll2003",
                recorder=recorder, rival_options=dict,
            )
        )  # fmt: skip
        return capsys.readouterr().out, recorder.records

    out, records = run("m-1", "m-2", "n-3", "german")
    assert "left out wikigold, for" in out and "| `m` | `n-3` | `spaCy small` |" in out
    read = read_conll(news).converted(TagScheme.IOB2)
    with subject.load(golden, engine="onnxruntime") as tagger:
        f1 = 100 * score(read.tags, tagger.tag_batch(read.sentences)).f1
        lower = [[word.lower() for word in words] for words in read.sentences]
        f1_lower = 100 * score(read.tags, tagger.tag_batch(lower)).f1
        (found,) = tagger.tag_batch([["Ada", "moved", "from", "Oslo"]])
    assert 50 < f1_lower < f1 and found == ["B-PER", "O", "O", "B-LOC"]
    spacy = 100 * score(read.tags, tagged(read.sentences)).f1
    row = f"| {f1:.2f} ± 0.00 | {f1:.2f} | {spacy:.2f} |"
    assert re.search(
        rf"^\| `conll2003`: news of 1996 \| [0-9]+ {re.escape(row)}$", out, re.MULTILINE
    )
    (at,) = (r for r in records if r["case"] == "conll2003, lower case" and "n-3" in r["model"])
    assert 100 * at["f1"] == pytest.approx(f1_lower)
    forum = [r for r in records if r["case"] == "wnut17"]
    assert [r["entities"] for r in forum] == [2] * 4  # the product is none, what is found there is
    assert forum[0]["precision"] in (1 / 2, 2 / 3) and forum[-1]["precision"] == 1 / 2
    assert re.search(
        r"^\| `german` \| `conll-de`: .* \| 78\.76 \| .* \| 0\.\d \|$", out, re.MULTILINE
    )
    there.append(False)
    out, _ = run("n-3")
    assert "left out: spacy_sm is not here" in out and "| `n-3` |\n" in out

    copy = tmp_path / "n-3"
    sets = {"conll2003": {"precision": 1 / 2, "recall": 1, "f1": 2 / 3, "entities": 1234}}
    sets["conll2003"]["calibration_error"] = 0.25
    before = read_bundle(copy)
    for _ in range(2):
        write_bundle(copy, cards.with_card(read_bundle(copy), sets))
        after = read_bundle(copy)
        assert after.manifest.scores == {**before.manifest.scores, "sets": sets}
        card = after.extra["README.md"].decode()
        assert card.startswith(before.extra["README.md"].decode())
        assert card.count("| conll2003: news of 1996 |") == 1 and "| 1,234 | 50.00 |" in card
    assert after.words_utf8 == before.words_utf8 and after.arrays.keys() == before.arrays.keys()


def test_a_card_leaves_the_lists_of_a_model(tmp_path):
    shutil.copytree(ROOT / "tests" / "golden" / "bundle-1.5", tmp_path / "model")
    before = read_bundle(tmp_path / "model")
    after = cards.with_card(before, {})
    assert after.gazetteers() == before.gazetteers() != []


def test_names_in_one_script():
    names = ["Oslo", "Осло", "USA", "li", "von Ahn", "Wien 3", "Ada-Noor", "Łódź", "Ao"]
    assert name_lists.written_in("LATIN", names) == ["Ada-Noor", "Oslo", "Wien 3", "Łódź"]
    assert name_lists.written_in("CYRILLIC", names) == ["Осло"]


def test_vectors_keep_their_principal_components():
    rng = np.random.default_rng(1)
    axes, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    spread = rng.normal(size=(500, 6)) * [9, 5, 3, 0.1, 0.1, 0.1]
    found = russian_vectors.narrowed((spread @ axes.T + 7).astype(np.float32), 3)
    assert found.shape == (500, 3) and found.std() == pytest.approx(0.5, abs=1e-3)
    for column in range(3):
        assert abs(np.corrcoef(found[:, column], spread[:, column])[0, 1]) > 0.99


def test_forms_of_russian_names():
    needs("pymorphy3", extra="navec")
    words = ["москве", "иванова", "стол", "петербургом", "бежать", "яндексе"]
    assert list(russian_vectors.names(words)) == ["москве", "иванова", "петербургом", "яндексе"]


def test_dates_as_a_new_label():
    said = ["On", "Monday", "1", "May", "1996", "Sept.", "and", "2011", "March", "won"]
    tags = ["O"] * 8 + ["B-ORG", "O"]
    news = Corpus([said], [tags], TagScheme.IOB2, [0], "news")
    dates = ["O", "B-DATE", "O", "O", "B-DATE", "I-DATE", "O", "O", "O", "O"]
    assert new_label.dated(news, old=False).tags == [dates]
    assert new_label.dated(news, old=True).tags == [[*dates[:8], "B-ORG", "O"]]


def test_entities_without_a_known_word():
    sentences = [["Ada", "Xu", "left", "Qo", "."], ["Qo", "Zy"]]
    gold = [["B-PER", "I-PER", "O", "B-LOC", "O"], ["B-ORG", "I-ORG"]]
    found = [["O", "B-PER", "O", "B-LOC", "O"], ["B-ORG", "O"]]

    def known(words):
        return [word in ("Ada", "left", ".") for word in words]

    new = accuracy.score_new(sentences, gold, found, known)
    # gold: Qo, Qo Zy, and not Ada Xu; found: Xu, Qo, Qo
    assert (new.gold, new.predicted, new.correct) == (2, 3, 1)
    vocabulary = read_bundle(ROOT / "tests" / "golden" / "bundle-1.4").vocabulary()
    words = vocabulary.words.decode().split("\n")
    row = words[0]
    assert list(accuracy.known(vocabulary, [row, row.upper(), "qqqqzz"])) == [True, True, False]


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads /proc")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_loop_over_row_groups_and_the_memory_of_a_process(tmp_path, monkeypatch):
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
    from pyarrow import parquet

    texts = ["Ada Lovelace left Oslo.", "", "no name", "Zürich and Acme Corp."] * 5
    path = str(tmp_path / "a.parquet")
    parquet.write_table(pa.table({"text": texts}), path, row_group_size=7)
    with subject.load(ROOT / "tests" / "golden" / "bundle-1.3", engine="native") as tagger:
        monkeypatch.setattr(corpus._Loop, "tagger", tagger)
        wanted = [[(e.start, e.end, e.label) for e in tagger(text).entities] for text in texts]
        for processes in (1, 2):
            out = tmp_path / f"out{processes}"
            out.mkdir()
            corpus.looped(path, out, processes)
            rows = parquet.read_table(out)["entities"].to_pylist()
            assert [[tuple(e.values()) for e in row] for row in rows] == wanted
            assert len(list(out.iterdir())) == 3
    assert any(wanted)
    child = "b = bytearray(90_000_000); import time; time.sleep(.3)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    assert 90_000_000 < corpus._peak([sys.executable, "-c", code]) < 140_000_000
    with pytest.raises(SystemExit, match="ended with 3"):
        corpus._peak([sys.executable, "-c", "raise SystemExit(3)"])


def test_documents_apart_and_together(tmp_path, capsys):
    sentences = [["Oslo", "won"], ["It", "rained", "in", "OSLO"], ["Ada"], ["Ada", "left"]] * 5
    (tmp_path / "valid.txt").write_text(
        "-DOCSTART- O\n\n"
        + "-DOCSTART- O\n\n".join(
            "".join("".join(f"{w} O\n" for w in s) + "\n" for s in sentences[at : at + 2])
            for at in range(0, 20, 2)
        )
    )
    (corpus,) = documents.read_corpora(tmp_path).values()
    assert (len(corpus), corpus.documents) == (20, list(range(0, 20, 2)))
    assert documents.part(corpus, 1) == ([i for i in range(20) if i % 4 > 1], [0, 2, 4, 6, 8])
    for folder in (tmp_path, tmp_path / "none"):
        recorder = Recorder(None, {})
        documents.run(
            SimpleNamespace(
                words=words.Words(sentences, None, "made up"), corpus=folder, engines=("native",),
                tagger=lambda engine: subject.load(None, engine=engine), repeats=1,
                recorder=recorder,
            )
        )  # fmt: skip
        assert [record["ratio"] == 1.0 for record in recorder.records] == [True, False] * 2
    assert "native: made up, together" in capsys.readouterr().out


def test_the_numbers_of_documents_are_the_taggers_own(monkeypatch):
    words = [line.split() for line in (
        "Kiruna Mining Ltd. hired 40 people .", "Workers in Kiruna agreed .", "Kiruna said so .",
    )]  # fmt: skip
    gold = [["B-ORG", "I-ORG", "I-ORG", "O", "O", "O", "O"], ["O", "O", "B-LOC", "O", "O"],
            ["B-ORG", "O", "O", "O"]]  # fmt: skip
    corpus = Corpus(words * 2, gold * 2, TagScheme.IOB2, [0, 3], "made-up")
    monkeypatch.setattr(documents, "WEIGHTS", (1e-9, 0.5))
    with subject.load("conll2003", engine="native") as tagger:
        own = tagger._consistency
        found = documents.gains(tagger, {"dev": corpus})
        assert tagger._consistency is own
        assert all(row == [0.0, 0.0, 0.0] for (weight, _), row in found.items() if weight < 0.1)
        assert found[0.5, 0.03] == [pytest.approx(100 / 3)] * 3


def test_f1_of_entities_that_training_did_not_hold():
    def corpus(*rows):
        sentences = [[word for word, _ in row] for row in rows]
        tags = [[tag for _, tag in row] for row in rows]
        return Corpus(sentences, tags, TagScheme.IOB2, [0], "made-up")

    known = corpus([("Oslo", "B-LOC"), ("rains", "O")])
    dev = corpus(
        [("OSLO", "B-LOC"), ("and", "O"), ("Quito", "B-LOC")], [("Ada", "B-PER"), ("Noor", "B-PER")]
    )
    predicted = [["O", "O", "B-LOC"], ["B-PER", "I-PER"]]
    # of Quito, Ada and Noor one is found, beside the wrong "Ada Noor"; OSLO is known, in any case
    assert ablations.unseen_f1(known, dev, predicted) == 2 * 1 / (3 + 2)
    assert ablations.unseen_f1(dev, dev, dev.tags) == 0.0


def test_goals_are_held_against_the_records_that_are_there(capsys):
    def timed(question, case, samples, **values):
        rate = {"tokens_per_second": 1000.0}
        return {"question": question, "case": case, "samples": samples} | rate | values

    goals.show([timed("growth", "one sentence", [1.0], engine="native")])
    assert capsys.readouterr().out == ""
    goals.show(
        [
            timed("rivals", "fastner [native]", [1.0, 2.0, 9.0], p50=3.0),
            timed("rivals", "fastner [native], cache empty", [9.0, 9.0, 9.0]),
            timed("rivals", "crfsuite", [4.0, 8.0, 9.0], p50=4.0),
            timed("rivals", "fastner [onnxruntime]", [2.0, 2.0, 2.0], p50=1.0),  # has no such goal
            {"question": "micro", "case": "NumPy, batched, 256 × 113, 9 tags", "ratio": 9.5},
            {"question": "agreement", "case": "all sentences", "changed": 2, "tokens": 50_000},
        ]
    )
    *rows, _, cost = capsys.readouterr().out.splitlines()[4:]
    assert cost.startswith("Core-hours for a billion tokens, at $0.04 each: fastner [native] 278 ")
    assert [row.split()[-3:] for row in rows] == [
        ["6.5", "4", "no"],  # the median of 4, 4 and 1
        ["0.35", "0.75", "no"],
        ["5", "4", "yes"],
        ["10", "9.5", "no"],
    ]


def test_what_a_billion_tokens_cost_is_one_line():
    rates = {"fastner [native]": 1e6, "fastner [native], cache empty": 5e5, "crfsuite": 1e5}
    records = [
        {"question": "rivals", "case": case, "tokens_per_second": rate}
        for case, rate in rates.items()
    ]
    records.append({"question": "bert", "case": "bert", "tokens_per_second": 50.0})
    records.append({"question": "bert", "case": "fastner [native]", "tokens_per_second": 7e5})
    assert goals.cost(records, 0.1) == (
        "Core-hours for a billion tokens, at $0.1 each: fastner [native] 0.28 ($0.028), "
        "crfsuite 2.8 ($0.28), bert 5,556 ($556)"
    )


def test_bert_is_the_network_of_the_paper():
    pytest.importorskip("onnx", reason="builds a graph")
    sizes = bert.Sizes(layers=2, hidden=12, heads=3, inner=20, vocabulary=50, positions=9, labels=4)
    weights = bert.random_weights(sizes, seed=1)
    ids = np.array([[3, 49, 7, 7, 0], [5, 1, 0, 0, 0]])
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    (logits,) = bert.session(sizes, weights).run(None, {"ids": ids, "mask": mask})
    for b, length in enumerate(mask.sum(1)):
        wanted = reference.bert(weights, ids[b, :length], sizes.layers, sizes.heads)
        np.testing.assert_allclose(logits[b, :length], wanted, rtol=0, atol=1e-6)
        assert np.abs(np.diff(wanted, axis=0)).max() > 1e-3


def test_bert_answers_as_the_other_rivals_do(monkeypatch):
    pytest.importorskip("onnx", reason="builds a graph")
    small = bert.Sizes(layers=1, hidden=8, heads=2, inner=8, vocabulary=3000)
    monkeypatch.setattr(bert, "Sizes", lambda: small)
    rival = bert.Bert()
    rival.imports({})
    rival.load({})
    sentences = [["a", "b", "c"], ["d"], ["\ud800"] * 7, ["b", "c"]]
    tags = rival.tag(sentences, 2)
    assert list(map(len, tags)) == [3, 1, 7, 2]
    assert tags == [rival.tag([sentence], 1)[0] for sentence in sentences]
    assert {int(tag) for row in tags for tag in row} <= set(range(9))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_soaking_in_a_line_a_promise():
    questions = {"threads": 1, "leak": 100, "batches": 20, "kills": 3, "lattices": 100}
    if find_spec("pyarrow"):
        questions["corpus"] = 5
    model = ROOT / "tests" / "golden" / "bundle-1.3"
    run = subprocess.run(
        [sys.executable, "-m", "bench.soak", "--model", model, "huge=20000"]
        + [f"{name}={count}" for name, count in questions.items()],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    lines = [line.split(": ", 2) for line in run.stdout.splitlines()]
    assert {name for name, *_ in lines} == {*questions, "huge"}
    assert {word for _, word, _ in lines} == {"holds"}
