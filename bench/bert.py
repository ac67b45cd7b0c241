"""How far is a network of the size that many use, a token classifier like BERT-base?"""

from __future__ import annotations

from contextlib import ExitStack

from bench import subject
from bench.comparison import compare, open_fastner, open_rivals, score_all
from bench.session import EVERYTHING, Session
from bench.words import Words

LENGTH = 16  # tokens of each sentence
SENTENCES = 32  # in one batch: some 500 tokens take it a second


def run(session: Session) -> None:
    words = of_one_length(session.words)
    for engine in session.engines:
        subject.check(session.tagger(engine), words.sentences, (EVERYTHING,))
    with ExitStack() as stack:
        rivals = open_rivals(session, stack, {"bert": SENTENCES})
        if rivals:
            taggers = open_fastner(session, stack) | rivals
            scores = score_all(taggers, session.words)
            compare(session, "bert", taggers, scores, words, words.sentences[: SENTENCES // 2])


def of_one_length(words: Words) -> Words:
    """The beginnings of some sentences, LENGTH tokens each."""
    long = [n for n, sentence in enumerate(words.sentences) if len(sentence) >= LENGTH]
    chosen = long[:: max(1, len(long) // SENTENCES)][:SENTENCES]
    sentences = [words.sentences[n][:LENGTH] for n in chosen]
    return Words(sentences, None, f"{words.source}, {LENGTH} tokens a sentence")
