"""Cross-fitting: models tag what they have not seen, and training learns from their taggings."""

import hashlib
import json

import numpy as np
import pytest

import fastner
from fastner.bundle import read_bundle
from fastner.corpus import Corpus, read_conll
from fastner.errors import InputError
from fastner.tags import TagScheme
from fastner.training import cross_fit
from fastner.training.taggings import read_taggings, write_taggings
from small import write_corpus, write_vectors

FAST = {
    "hidden": (8,),
    "character_hidden": (4,),
    "character_width": 4,
    "clusters": False,
    "batch_sentences": 8,
    "learning_rate": 0.02,
    "dropout": 0.2,
    "recurrent_dropout": 0.0,
    "variant_rate": 0.0,
    "average": 0.0,
    "epochs": 8,
}
CORPUS = Corpus(
    sentences=[["Ada", "Lovelace"], ["Oslo"]],
    tags=[["B-PER", "E-PER"], ["S-LOC"]],
    scheme=TagScheme.BIOES,
    documents=[0, 1],
    path="made-up",
)
TAGGINGS = [
    [(["B-PER", "I-PER"], 0.6), (["B-PER", "B-PER"], 0.2)],
    [(["B-LOC"], 0.5), (["O"], 0.0)],
]


def test_taggings_come_back_in_the_scheme_of_the_corpus(tmp_path):
    write_taggings(tmp_path / "t.jsonl", CORPUS, TAGGINGS)
    assert read_taggings(tmp_path / "t.jsonl", CORPUS) == [
        [(["B-PER", "E-PER"], pytest.approx(0.75)), (["S-PER", "S-PER"], pytest.approx(0.25))],
        [(["S-LOC"], 1.0), (["O"], 0.0)],
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:1], "the 2 sentences of made-up, got 1"),
        (lambda rows: rows[::-1], "sentence 1: expected the words of that sentence of made-up"),
        (lambda rows: [*rows, rows[0]], "sentence 3: expected the words"),
        (lambda rows: [{**rows[0], "taggings": []}, rows[1]], "sentence 1: .* got .* 0"),
        (lambda rows: [{"tokens": rows[0]["tokens"]}, rows[1]], "sentence 1: .* got 'taggings'"),
        (
            lambda rows: [rows[0], {**rows[1], "taggings": [{"tags": ["O", "O"], "probability": 1}]}],
            "sentence 2: .* another number of tags",
        ),
        (
            lambda rows: [rows[0], {**rows[1], "taggings": [{"tags": ["X"], "probability": 1}]}],
            "sentence 2: .* got .*'X'",
        ),
        (
            lambda rows: [
                rows[0],
                {
                    **rows[1],
                    "taggings": [
                        {"tags": ["O"], "probability": 2},
                        {"tags": ["O"], "probability": -1},
                    ],
                },
            ],
            "sentence 2: .* probabilities",
        ),
    ],
)
def test_other_files_are_refused(tmp_path, change, message):
    path = tmp_path / "t.jsonl"
    write_taggings(path, CORPUS, TAGGINGS)
    rows = change([json.loads(line) for line in path.read_text().splitlines()])
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError, match=message):
        read_taggings(path, CORPUS)


def test_cross_fit_and_learn(tmp_path):
    """Sentences whose gold tags are wrong get the right ones from models that saw the others."""
    train = write_corpus(tmp_path / "train.txt", sentences=160, seed=1)
    lines = train.read_text().splitlines()
    # one document for each 20 sentences; in the last one all organisations are called persons
    documents, sentence = [], 0
    for line in lines:
        if sentence % 20 == 0 and (not documents or not documents[-1]):
            documents += ["-DOCSTART- O", ""]
        documents.append(line.replace("-ORG", "-PER") if sentence >= 140 else line)
        sentence += not line
    train.write_text("\n".join(documents) + "\n")
    dev = write_corpus(tmp_path / "dev.txt", sentences=40, seed=2)
    vectors = write_vectors(tmp_path / "vectors.txt")
    seen = []
    options = {"vectors": vectors, **FAST}
    output = tmp_path / "taggings.jsonl"
    cross_fit(
        train, dev, output=output, folds=2, progress=lambda k, p: seen.append((k, p)), **options
    )
    assert {k for k, _ in seen} == {0, 1}
    assert not (tmp_path / "taggings.jsonl.folds").exists()
    corpus = read_conll(train).converted(TagScheme.BIOES)
    taggings = read_taggings(output, corpus)
    best = [rows[0][0] for rows in taggings]
    wrong = [i for i in range(140, 160) if "Acme" in corpus.sentences[i]]
    found = [best[i][corpus.sentences[i].index("Acme")] for i in wrong]
    assert wrong and found.count("S-ORG") > len(found) / 2
    right = np.mean([best[i] == corpus.tags[i] for i in range(140)])
    assert right > 0.6

    scores = fastner.train(train, dev, output=tmp_path / "model", taggings=output, **options)
    assert scores.f1 > 0.8
    digest = hashlib.sha256(output.read_bytes()).hexdigest()
    assert read_bundle(tmp_path / "model").manifest.training["taggings"] == digest
    with pytest.raises(InputError, match="dev.txt"):
        fastner.train(dev, dev, output=tmp_path / "other", taggings=output, **options)


def test_more_folds_than_documents(tmp_path):
    train = write_corpus(tmp_path / "train.txt", sentences=5, seed=1)
    with pytest.raises(InputError, match="as many as it has documents .1., got 2"):
        cross_fit(train, train, output=tmp_path / "t.jsonl", folds=2, vectors="none")
