"""Training that goes on from a model: its weights in a new network, its word on new text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from fastner.bundle import Bundle, word_vectors
from fastner.crf import CRF
from fastner.engine.weights import BiLSTMWeights, WordWeights, bilstm_weights, word_weights
from fastner.errors import InputError
from fastner.lists.gazetteers import Gazetteer
from fastner.tags import TagScheme, allowed, split_tag
from fastner.training.lexicons import WordLexicon
from fastner.training.network import Network
from fastner.training.recipe import Recipe, preset
from fastner.training.vectors import WordVectors

UNKNOWN_CHARACTER, FIRST_CHARACTER = 1, 2  # ids, as `EncodedWords` says
NEW_TAG = -2.0  # added to the score of a tag that the model lacked: rare at first, as names are

_SHAPE = (  # choices of the recipe that weights are made for
    "scheme", "max_characters", "character_width", "character_hidden", "character_bidirectional",
    "case_width", "clusters", "hidden", "dense",
)  # fmt: skip


@dataclass(frozen=True)
class Start:
    """A model to go on from; made by `of`.

    tags: its own. vectors: its words and their vectors, of which the first `exact` are stored so.
    """

    path: str
    recipe: Recipe
    language: str
    tags: tuple[str, ...]
    labels: frozenset[str]
    characters: tuple[int, ...]
    lexicons: tuple[tuple[str, int], ...]
    gazetteers: tuple[Gazetteer, ...]
    vectors: WordVectors
    exact: int
    crf: CRF  # legal transitions alone
    sha256: str
    _words: WordWeights
    _sentences: BiLSTMWeights
    _scores: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

    @classmethod
    def of(cls, bundle: Bundle) -> Start:
        """That of a bundle; raises InputError for a network other than of one BiLSTM."""
        manifest = bundle.manifest
        words, sentences = word_weights(bundle.words_onnx), bilstm_weights(bundle.sentences_onnx)
        if words is None or sentences is None or manifest.reading is None:
            raise InputError(
                f"{bundle.path}: expected a model of one bidirectional GRU over characters, one "
                "bidirectional LSTM and one linear layer, which reads words as they are read now, "
                "to go on from, got another; train a new one"
            )
        saved = manifest.training.get("recipe")
        known = preset("default")
        if not isinstance(saved, dict):
            raise InputError(f"{bundle.path}: expected a model that holds its recipe, got none")
        choices = {k: known.parsed(k, v) for k, v in saved.items() if k in known.to_dict()}
        rows = np.arange(manifest.rows)
        scores = (bundle.arrays["start"], bundle.arrays["transitions"], bundle.arrays["end"])
        return cls(
            bundle.path,
            known.updated(**choices),
            manifest.language,
            manifest.tags,
            frozenset(manifest.labels),
            tuple(manifest.characters),
            tuple((lexicon.name, lexicon.categories) for lexicon in manifest.lexicons),
            tuple(bundle.gazetteers()),
            WordVectors(
                bundle.words()[: manifest.rows],
                word_vectors(bundle.arrays, rows),
                np.array(bundle.arrays["unknown"]),
            ),
            len(bundle.arrays["vectors"]),
            CRF(*scores, allowed=allowed(manifest.tags, TagScheme(manifest.scheme))),
            bundle.sha256,
            words,
            sentences,
            scores,
        )

    def check(self, recipe: Recipe, language: str) -> None:
        """Raises InputError for the recipe of another network, and for another language."""
        for name in _SHAPE:
            mine, asked = (one.to_dict()[name] for one in (self.recipe, recipe))
            if mine != asked:
                raise InputError(
                    f"{self.path}: expected the model's own {name}, {mine}, to go on from it, got "
                    f"{asked}; leave it as it is, or train a new model"
                )
        if language != self.language:
            raise InputError(
                f"{self.path}: expected the model's language, {self.language}, got {language}; "
                f"give language (--language) as {self.language}"
            )

    def give(
        self,
        network: Network,
        *,
        tags: Sequence[str],
        characters: Sequence[int],
        lexicons: tuple[WordLexicon, ...],
    ) -> None:
        """Gives a network, which is built, the model's weights; offsets of vectors stay 0.

        tags: those of the network, of which the model's are some. A new character begins as the
        unknown one. A new tag begins as the mean of the tags with its prefix, but for NEW_TAG; its
        transitions are the means of those between such tags, within a label and across.
        """
        known = tuple((lexicon.name, lexicon.categories) for lexicon in lexicons)
        parts = ["vectors", "forward", "backward", "cases", *range(len(lexicons))]
        if known != self.lexicons or list(self._words.parts) != parts:
            raise InputError(
                f"{self.path}: expected a model with lexicons {known}, got {self.lexicons}"
            )
        place = {point: i for i, point in enumerate(self.characters, FIRST_CHARACTER)}
        rows = [place.get(point, UNKNOWN_CHARACTER) for point in characters]
        network.character_embedding.embeddings.assign(
            self._words.characters[[*range(FIRST_CHARACTER), *rows]]
        )
        ((forward, backward),) = network.character_grus
        _fill(forward.cell, self._words.forward)
        _fill(backward.cell, self._words.backward)
        if network.case_embedding is not None:
            network.case_embedding.embeddings.assign(self._words.cases)
        for layer, table in zip(network.lexicon_embeddings, self._words.lexicons, strict=True):
            layer.fill(table)
        for place, places in zip(network.place_embeddings, self._sentences.places, strict=True):
            place.fill(places)
        ((forward, backward),) = network.lstms
        _fill(forward.cell, self._sentences.forward)
        _fill(backward.cell, self._sentences.backward)
        of = _sources(self.tags, tags)
        new = np.array([tag not in self.tags for tag in tags])
        mean = np.zeros((len(self.tags), len(tags)), np.float32)
        for column, sources in enumerate(of.values()):
            mean[sources, column] = 1 / len(sources)
        (dense,) = network.dense
        dense.kernel.assign(self._sentences.kernel @ mean)
        dense.bias.assign(self._sentences.bias @ mean + np.where(new, NEW_TAG, 0).astype("f"))
        start, transitions, end = self._scores
        network.crf.start.assign(start @ mean)
        network.crf.end.assign(end @ mean)
        network.crf.transitions.assign(_transitions(transitions, self.tags, tags, of))

    def marginals(
        self,
        emissions: NDArray[np.float32],
        lengths: NDArray[np.int32],
        tags: Sequence[str],
        possible: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        """What the model says of tokens that may have the tags `possible`, bool [B, T, K].

        emissions: float32 [B, T, K] of a network that it was given to, with tags `tags`. Its
        probabilities of these tags; a token that has a tag which the model lacks is O to it, and
        gets that tag.
        """
        columns = [list(tags).index(tag) for tag in self.tags]
        new = ~possible[:, :, columns].any(axis=2)  # [B, T]
        seen = possible[:, :, columns]
        seen[new, self.tags.index("O")] = True
        scores = np.where(seen, emissions[:, :, columns], np.float32(-np.inf))
        found = np.zeros(emissions.shape, np.float32)
        found[:, :, columns] = self.crf.marginals(np.ascontiguousarray(scores), lengths)
        found[new] = possible[new] / possible[new].sum(axis=1, keepdims=True)
        return found


def _fill(cell: Any, weights: tuple[NDArray[np.float32], ...]) -> None:
    for variable, value in zip(
        (cell.kernel, cell.recurrent_kernel, cell.bias), weights, strict=True
    ):
        if tuple(variable.shape) != value.shape:
            raise InputError(
                f"expected weights of shape {tuple(variable.shape)}, as the recipe of the model "
                f"has it, got {value.shape}"
            )
        variable.assign(ops.convert_to_tensor(value))


def _sources(old: Sequence[str], new: Sequence[str]) -> dict[str, list[int]]:
    """The tags of the model, by index, that each new tag begins as the mean of."""
    found = {}
    for tag in new:
        same = [i for i, other in enumerate(old) if other == tag]
        found[tag] = same or [i for i, other in enumerate(old) if other[0] == tag[0]]
    return found


def _transitions(
    scores: NDArray[np.float32],
    old: Sequence[str],
    new: Sequence[str],
    of: dict[str, list[int]],
) -> NDArray[np.float32]:
    label = [split_tag(tag)[1] for tag in old]
    made = np.zeros((len(new), len(new)), np.float32)
    for i, one in enumerate(new):
        for j, two in enumerate(new):
            pairs = [(a, b) for a in of[one] for b in of[two]]
            same = split_tag(one)[1] == split_tag(two)[1]
            if not (one in old and two in old):
                alike = [(a, b) for a, b in pairs if (label[a] == label[b]) == same]
                pairs = alike or pairs  # a model of one label has no other to go over to
            made[i, j] = np.mean([scores[pair] for pair in pairs])
    return made
