"""Training fed with what people have: pairs, no dev, no vectors, raw text; and what it refuses."""

import gzip
import os
import random
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small import NAMES, PATTERNS, TRAINING, needs, write_corpus

import fastner
from fastner.bundle import read_bundle
from fastner.corpus import Corpus, read
from fastner.errors import InputError
from fastner.lists.gazetteers import Gazetteer
from fastner.tags import TagScheme

pytest.importorskip("keras", reason="training needs the train extra")
from fastner.training.holdout import MOST, hold_out
from fastner.training.lessons import Gathered, Lesson
from fastner.training.lexicons import brown_clusters, is_english
from fastner.training.recipe import preset
from fastner.training.silver import read_silver
from fastner.training.summary import check_labels, summary
from fastner.training.task import Task
from fastner.training.unlabelled import train_vectors
from fastner.training.vectors import WordVectors

SMALL = {**TRAINING, "vector_width": 8}


def pairs(count, seed, names=None):
    """Texts and their spans, of the sentences of small.py; names: other names of labels."""
    rng, found = random.Random(seed), []
    for _ in range(count):
        text, spans = "", []
        for piece in rng.choice(PATTERNS).split():
            text += " " if text else ""
            name = rng.choice(NAMES[piece.strip("{}")]) if "{" in piece else piece
            if "{" in piece:
                label = piece.strip("{}")
                spans.append((len(text), len(text) + len(name), (names or {}).get(label, label)))
            text += name
        found.append((text, spans))
    return found


def corpus(*sentences, path="c"):
    """Of words with their tags: "Ada/B-PER left/O"."""
    rows = [[word.rsplit("/", 1) for word in sentence.split()] for sentence in sentences]
    words, tags = ([[pair[i] for pair in row] for row in rows] for i in (0, 1))
    return Corpus(words, tags, TagScheme.IOB2, [0], path)


def gathered(train, scheme=TagScheme.BIOES):
    found = Gathered(scheme)
    found.add(train)
    return found


def task(train, vectors=None, *, coded=False, seed=1, language="en", **choices):
    recipe = preset("default").updated(**{**SMALL, **choices})
    return Task.prepare(
        recipe, train, train, vectors=vectors, coded=coded, seed=seed, language=language
    )


class TestFromPython:
    def test_pairs_to_a_tagger_that_writes_nothing(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        said = []
        names = {"ORG": "creative work"}  # a blank in a label is legal
        train, dev = pairs(200, 1, names), pairs(50, 2, names)
        tagger = fastner.train(train=train, dev=dev, epochs=6, notice=said.append, **SMALL)
        with tagger:
            assert tagger.manifest.scores["dev_f1"] > 0.9
            found = [(e.text, e.label) for e in tagger("Ada of Acme spoke.").entities]
            assert found == [("Ada", "PER"), ("Acme", "creative work")]
        assert os.listdir() == []
        assert said[0] == "<list>: read as jsonl, 200 sentences"

    def test_without_dev_a_share_is_held_out(self):
        said = []
        fastner.train(pairs(50, 1), epochs=1, notice=said.append, **SMALL).close()
        assert said[1].startswith("train: 40 sentences, ") and said[2].startswith("dev: 10 ")

    def test_refusals(self, tmp_path):
        data = pairs(20, 1)
        for wrong, message in (
            ({"resume": True}, "expected the output of the run to go on with"),
            ({"vectors": "v", "text": ["t"]}, "expected vectors or text .* got both"),
        ):
            with pytest.raises(InputError, match=message):
                fastner.train(data, **wrong, **SMALL)


class TestHoldOut:
    def test_whole_documents_by_seed(self):
        rows = [[f"d{n // 7}", f"w{n}"] for n in range(140)]
        tags = [["B-PER", "O"]] * 140
        given = Corpus(rows, tags, TagScheme.IOB2, list(range(0, 140, 7)), "c")
        train, dev = hold_out(given, 1)
        assert (len(train), len(dev)) == (112, 28)
        assert not {s[0] for s in train.sentences} & {s[0] for s in dev.sentences}
        assert sorted(train.sentences + dev.sentences) == sorted(rows)
        assert train.documents == list(range(0, 112, 7)) and dev.documents == [0, 7, 14, 21]
        assert (train.path, dev.path) == ("c (train)", "c (held out)")
        assert hold_out(given, 1)[1].sentences == dev.sentences
        assert hold_out(given, 2)[1].sentences != dev.sentences

    @pytest.mark.parametrize("documents", [[0], [0, 10]])
    def test_by_sentence_where_no_document_fits(self, documents):
        rows = [[f"w{n}"] for n in range(40)]
        train, dev = hold_out(Corpus(rows, [["O"]] * 40, TagScheme.IOB2, documents, "c"), 1)
        assert len(dev) == 8 and len(train) == 32 and dev.sentences != rows[:8]

    def test_sizes(self):
        def parted(size):
            rows = [["w"]] * size
            parts = hold_out(Corpus(rows, [["O"]] * size, TagScheme.IOB2, [0], "c"), 1)
            return tuple(map(len, parts))

        assert parted(2) == (1, 1)
        assert parted(20_000) == (20_000 - MOST, MOST)
        with pytest.raises(InputError, match="at least two sentences"):
            parted(1)


class TestOwnRows:
    TRAIN = corpus("Ada/B-PER met/O Zoë/B-PER in/O 1996/O", "ADA/B-PER met/O Zoë/B-PER")
    VECTORS = WordVectors(["met", "ada", "oslo"], np.eye(3, 8, dtype=np.float32))

    def rows(self, found, *words):
        return found.vocabulary.encode([list(words)]).words.vector_rows.tolist()

    def test_words_that_vectors_lack_have_a_row_and_others_stay_unknown(self):
        found = task(self.TRAIN, self.VECTORS)
        assert self.rows(found, "met", "Ada", "ADA", "Oslo") == [0, 1, 1, 2]
        own = self.rows(found, "Zoë", "in", "1996")
        assert min(own) >= 3 and len(set(own)) == 3
        assert self.rows(found, "Lima", "1,50") == [-1, -1]
        assert self.rows(found, "ZOË", "2024") == [own[0], own[2]]  # in any case, of any digits
        assert found.own_rows == len(found.vectors) - 3
        np.testing.assert_array_equal(found.vectors[:3], self.VECTORS.matrix)
        np.testing.assert_allclose(found.unknown, self.VECTORS.matrix.mean(axis=0))
        spread = found.vectors[3:].std() / self.VECTORS.matrix.std()
        assert 0.7 < spread < 1.3  # as that of the others
        assert found.train.given.tolist() == [
            row in (0, 1) for row in found.train.words.vector_rows.tolist()
        ]

    def test_they_are_of_what_words_read_as_frequent_ones_first(self):
        train = corpus("Zu\u0308rich/B-LOC ZÜRICH/B-LOC o\u200bn/O on/O zürich/O \ud800/O")
        found = task(train)
        assert found.words == ["zürich", "on"]
        assert self.rows(found, "Zürich", "zu\u0308rich", "on", "\ud800") == [0, 0, 1, -1]

    def test_without_vectors_all_have_one_the_same_for_a_seed(self):
        found, again, other = task(self.TRAIN), task(self.TRAIN), task(self.TRAIN, seed=2)
        assert -1 not in self.rows(found, "Ada", "ADA", "met", "Zoë", "1996")
        assert self.rows(found, "Oslo") == [-1]
        assert found.vectors.shape[1] == 8 and found.own_rows == len(found.vectors)
        np.testing.assert_array_equal(found.vectors, again.vectors)
        assert (found.vectors != other.vectors).all()

    def test_words_that_occur_too_rarely_have_none(self):
        found = task(self.TRAIN, word_count=2)
        assert sorted(found.words) == ["met", "zoë"]
        assert self.rows(found, "Ada", "in", "1996") == [-1] * 3

    @pytest.mark.parametrize("tune", [True, False])
    def test_own_rows_are_always_trained_and_never_shown_bare(self, tune):
        found = task(self.TRAIN, self.VECTORS, tune_vectors=tune)
        own = set(range(3, len(found.vectors)))
        tuned = set(found.tuned_rows.tolist())
        assert tuned >= own
        assert tuned - own == ({0, 1} if tune else set())
        rng = np.random.default_rng(0)
        bare = set()
        for _ in range(50):
            options = {"unknown_rate": 0.0, "unknown": found.unknown, "offset_rate": 0.5}
            for batch in found.train.epoch(2, rng, **options):
                rows = found.train.words.vector_rows[batch.words]
                bare |= set(rows[batch.inputs["tuned"] == 0].tolist())
        assert bare == {0, 1}

    def test_coded_vectors_keep_own_rows_exact(self):
        rng = np.random.default_rng(0)
        given = WordVectors(
            ["met", *map("w{}".format, range(50))], rng.normal(size=(51, 8)).astype(np.float32)
        )
        plain, coded = task(self.TRAIN, given), task(self.TRAIN, given, coded=True)
        for word in ("met", "Zoë", "1996"):
            one, two = (f.vectors[self.rows(f, word)[0]] for f in (plain, coded))
            np.testing.assert_array_equal(one, two)
        np.testing.assert_allclose(coded.unknown, plain.unknown, atol=0.2)
        assert coded.train.given.sum() == plain.train.given.sum() == 2  # met, MET

    def test_the_row_of_the_unknown_word_is_used(self):
        unknown = np.full(8, 0.5, np.float32)
        assert task(self.TRAIN, self.VECTORS._replace(unknown=unknown)).unknown is unknown

    @pytest.mark.parametrize("dtype", ["float32", "product"])
    def test_a_model_without_vectors_learns(self, tmp_path, dtype):
        path = write_corpus(tmp_path / "c", sentences=200, seed=1)
        dev = write_corpus(tmp_path / "d", sentences=50, seed=2)
        with fastner.train(
            path, dev, output=tmp_path / "m", epochs=6, vector_dtype=dtype, **SMALL
        ) as tagger:
            assert tagger.manifest.scores["dev_f1"] > 0.9
        with fastner.load(tmp_path / "m") as tagger:
            assert tagger.tag(["Ada", "of", "Acme", "spoke", "."])[0] == "B-PER"


def test_vectors_of_text(tmp_path):
    """They hold the words of the text and of the corpus, and those in like places are alike."""
    rng = random.Random(0)
    lines = [
        f"{rng.choice(['Oslo', 'Lima'])} is a town . it is {rng.choice('abc')}" for _ in range(600)
    ]
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\nonce\n", encoding="utf-8")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"text": "more more"}\n'))
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"packed up, packed\n"))
    train = corpus("Rare/B-LOC Oslo/B-LOC")
    files = [tmp_path / "a.txt", tmp_path / "b.jsonl.gz", tmp_path / "c.txt.gz"]
    found = train_vectors(files, train.sentences, width=12, seed=1)
    assert {"oslo", "lima", "town", "rare", "more", "packed"} <= set(found.words)
    assert "once" not in found.words and found.matrix.shape == (len(found.words), 12)
    again = train_vectors(files, train.sentences, width=12, seed=1)
    np.testing.assert_array_equal(found.matrix, again.matrix)
    (tmp_path / "none.txt").write_text("\n\n")
    with pytest.raises(InputError, match="none.txt: expected text, got none"):
        train_vectors([tmp_path / "none.txt"], train.sentences, width=4, seed=1)
    with fastner.train(pairs(30, 1), text=files, epochs=1, **SMALL) as tagger:
        assert tagger.manifest.width == 8 and tagger.manifest.rows > 30


class TestClusters:
    def test_english_is_told_by_its_words(self):
        english = [line.replace("{", "").split() for line in PATTERNS] + [["and", "the", "end"]]
        assert is_english(Counter(word for sentence in english for word in sentence))
        for other in (
            "Het was in het begin van de oorlog is of en",
            "Der Hund lief in die Stadt und war weg",
            "O Tribunal de Justiça do Estado",
        ):
            assert not is_english(Counter(other.split()))

    def test_they_are_left_out_of_other_languages_unless_asked_for(self):
        needs("spacy_lookups_data", extra="clusters")
        german = corpus("Der/O Hund/O von/O Ada/B-PER lief/O")
        english = corpus("The/O dog/O and/O the/O cat/O of/O Ada/B-PER")
        for train, language, clusters, there in (
            (german, "en", None, False),
            (german, "de", True, True),
            (english, "en", None, True),
            (english, "de", None, False),
            (english, "en", False, False),
        ):
            found = task(train, language=language, clusters=clusters)
            assert bool(found.lexicons) is there and found.recipe.clusters is there

    def test_german_has_its_own(self):
        needs("spacy_lookups_data", extra="clusters")
        found = brown_clusters("de")
        assert found.categories == 750 and {"der", "Hund", "bellte"} <= found.category.keys()
        assert found.category["Der"] != found.category["der"]

    def test_other_languages_have_none(self):
        with pytest.raises(InputError, match="out of de, en, es, got 'fr'; train with clusters=Fa"):
            task(corpus("Ada/B-PER"), language="fr", clusters=True)


class TestSummary:
    def test_what_is_learnt_from_and_what_is_odd(self):
        train = corpus("Ada/B-PER met/O Bo/B-PER in/O Oslo/B-LOC", "it/O rained/O", path="t")
        dev = corpus("Mars/B-PLANET", path="d")
        vectors = WordVectors(["met", "x"], np.ones((2, 4), np.float32))
        recipe = preset("default").updated(**SMALL)
        made = Task.prepare(recipe, train, dev, vectors=vectors, coded=False, seed=1)
        lines = summary(made, gathered(train), ("left out 3 rows",))
        assert lines[:2] == [
            "train: 2 sentences, 7 tokens; PER 2, LOC 1",
            "dev: 1 sentences, 1 tokens; PLANET 1",
        ]
        assert lines[2].startswith(
            "vectors: 2 of 4 numbers, for 14.3 % of the training words (1 of 7"
        )
        assert lines[3].startswith("random vectors of 4 numbers: ")
        assert lines[4:] == [
            "warning: vectors: left out 3 rows",
            "warning: only 14.3 % of the words of t has a vector: are they of its language?",
            "warning: PLANET is in d alone: its 1 entities count as missed",
            "warning: labels with fewer than 10 entities to learn from: LOC 1, PER 2",
        ]

    def test_labels_that_are_mapped_or_named_and_no_entity_has(self, tmp_path):
        silver = tmp_path / "s.jsonl"
        silver.write_text('{"tokens": ["Ada"], "ner_tags": ["S-PER"], "probabilities": [null]}')
        lesson = Lesson("t", {"persn": "PER", "person": "PER"}, ["PER", "DTAE"])
        train = Gathered(TagScheme.BIOES)
        train.add(corpus("Ada/B-person", path="t"), lesson)
        train.add_silver(read_silver(silver, train.scheme), Lesson(silver, {"PRE": "", "PER": "X"}))
        recipe = preset("default").updated(**SMALL)
        dev = corpus("Bo/B-PER", path="d")
        made = Task.prepare(recipe, train, dev, vectors=None, coded=False, seed=1)
        warnings = [line for line in summary(made, train, ()) if line.startswith("warning: ")]
        assert warnings == [
            "warning: t: labels to map that no entity has: persn",
            f"warning: {silver}: labels to map that no entity has: PRE",
            "warning: labels with fewer than 10 entities to learn from: DTAE 0, PER 1, X 1",
        ]
        with pytest.raises(InputError, match=r"expected labels other than O and \?, .* got O"):
            check_labels(gathered(corpus("Ada/B-O")))

    def test_what_the_model_to_go_on_from_knows_is_not_missing(self):
        train, dev = corpus("it/O", "x/B-NEW", path="t"), corpus("Ada/B-PER", path="d")
        recipe = preset("default").updated(**SMALL)
        made = Task.prepare(recipe, train, dev, vectors=None, coded=False, seed=1)
        made = replace(made, start=SimpleNamespace(labels=frozenset(["PER"])))
        lines = summary(made, gathered(train), ())
        assert [line for line in lines if line.startswith("warning: ")] == [
            "warning: labels with fewer than 10 entities to learn from: NEW 1"
        ]

    def test_a_list_that_the_corpus_has_no_phrase_of(self):
        train = corpus("Ada/B-PER won/O", path="t")
        lists = (Gazetteer("A", ["Ada"]), Gazetteer("B", ["Oslo\tLOC"]))
        recipe = preset("default").updated(**SMALL)
        made = Task.prepare(
            recipe, train, train, vectors=None, coded=False, seed=1, gazetteers=lists
        )
        lines = [line for line in summary(made, gathered(train), ()) if "no phrase" in line]
        assert len(lines) == 1 and lines[0].startswith("warning: list B: no phrase of it is in t")

    def test_no_vector_fits_and_dev_has_no_entity(self):
        train = corpus("Ada/B-PER met/O Bo/B-PER", path="t")
        vectors = WordVectors(["x"], np.ones((1, 4), np.float32))
        recipe = preset("default").updated(**SMALL)
        dev = corpus("it/O", path="d")
        made = Task.prepare(recipe, train, dev, vectors=vectors, coded=False, seed=1)
        lines = "\n".join(summary(made, gathered(train), ()))
        assert "warning: no word of t has a vector" in lines
        assert "warning: d has no entity: nothing tells which epoch is best" in lines

    def test_a_label_that_only_dev_has_is_counted_as_missed(self):
        dev = [*pairs(30, 2), ("Mars spoke .", [(0, 4, "PLANET")])]
        found = []
        tagger = fastner.train(
            pairs(60, 1), dev, epochs=1, progress=lambda now: found.append(now.scores), **SMALL
        )
        tagger.close()
        planet = found[-1].per_label["PLANET"]
        assert (planet.gold, planet.correct) == (1, 0)


def test_what_is_held_out_knows_all_labels_of_its_corpus(monkeypatch):
    """Also one that none of its sentences happens to have: where it is found, that is wrong."""

    def stop(*_, **__):
        raise InputError("enough")

    monkeypatch.setattr("fastner.training.job.Run", stop)
    first = [(["Ada", "won"], ["B-RARE" if i == 0 else "B-PER", "O"]) for i in range(40)]
    said = []
    with pytest.raises(InputError, match="enough"):
        fastner.train([Lesson(first), Lesson([(["Oslo"], ["B-LOC"])])], notice=said.append, **SMALL)
    (dev,) = [line for line in said if line.startswith("dev: ")]
    assert dev == "dev: 8 sentences, 16 tokens; PER 8; LOC found there count neither way"


class TestRefusedBeforeTheFirstEpoch:
    @pytest.fixture(autouse=True)
    def never(self, monkeypatch):
        from fastner.training.run import Run

        monkeypatch.setattr(Run, "train_epoch", lambda *_: pytest.fail("it trained"))

    def test_labels_that_no_model_can_hold(self):
        for label, message in (
            ("work ", "expected a label without .* white space at its edges, got 'B-work '"),
            ("x" * 1023, "expected labels of at most 1022 bytes"),
        ):
            with pytest.raises(InputError, match=message):
                fastner.train([(["Ada"], [f"B-{label}"])] * 5, **SMALL)
        untagged = Corpus([["Ada"]] * 5, [], None, [0], "c")
        for nothing in ([(["Ada"], ["O"])] * 5, untagged):
            with pytest.raises(InputError, match="expected entities to learn"):
                fastner.train(nothing, **SMALL)
        many = [(["Ada"], [f"B-{number}"]) for number in range(1100)]
        with pytest.raises(InputError, match="at most 4096 tags in BIOES, got 4401"):
            check_labels(gathered(read(many), TagScheme.BIOES))
        check_labels(gathered(read(many), TagScheme.IOB2))

    def test_a_finished_model_is_replaced_with_force_only(self, tmp_path):
        model = tmp_path / "m"
        golden = Path(__file__).parent / "golden" / "bundle-1.3"
        shutil.copytree(golden, model)
        for name in ("m", "m/"):
            with pytest.raises(InputError, match="got a finished model; .*--force"):
                fastner.train(pairs(9, 1), output=f"{tmp_path}/{name}", **SMALL)
        assert read_bundle(model).sha256 == read_bundle(golden).sha256
        assert os.listdir(tmp_path) == ["m"]

    @pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
    def test_outputs_that_cannot_be_written(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        for name in ("file/m", "x" * 250, "x" * 300):
            with pytest.raises(OSError, match="File name too long|Not a directory|File exists"):
                fastner.train(pairs(9, 1), output=tmp_path / name, **SMALL)
            assert os.listdir(tmp_path) == ["file"]


def test_a_new_output_lies_in_folders_that_are_made(tmp_path):
    fastner.train(pairs(9, 1), output=tmp_path / "a" / "b" / "m", epochs=1, **SMALL).close()
    assert read_bundle(tmp_path / "a" / "b" / "m").manifest.labels
    fastner.train(
        pairs(9, 2), output=tmp_path / "a" / "b" / "m", epochs=1, force=True, **SMALL
    ).close()
