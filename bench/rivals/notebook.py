"""The notebook that fastner grew out of: Keras' predict on padded arrays, then tfa's crf_decode.

The architecture is fastner's preset `notebook`; sentences are padded to 113 words of 10 characters
by a loop over a dict, as there. The weights are random, which changes no time; so it has no score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.harness import version_of
from bench.rivals.frameworks import import_tfa
from bench.rivals.worker import serve

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WORDS, CHARACTERS, TAGS, VECTOR_WIDTH, VECTORS = 113, 10, 9, 50, 400_001
DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu", "keras", "tensorflow-addons")


class Notebook:
    def imports(self, options: dict[str, Any]) -> None:
        self._tfa = import_tfa()

    def load(self, options: dict[str, Any]) -> None:
        import numpy as np

        self._model = model(TAGS)
        random = np.random.default_rng(0)
        self._transitions = random.standard_normal((TAGS, TAGS), np.float32)
        self._padding = Padding()

    def describe(self) -> dict[str, Any]:
        return {
            "versions": version_of(*DISTRIBUTIONS),
            "note": "random weights: speed only; 113 words at most",
        }

    def tag(self, sentences: list[list[str]], batch: int) -> list[list[str]]:
        words, characters, lengths = self._padding.pad(sentences)
        scores = self._model.predict([words, characters], batch_size=batch, verbose=0)
        ids, _ = self._tfa.crf_decode(scores, self._transitions, lengths)
        return [
            [str(i) for i in row[:length]]
            for row, length in zip(ids.numpy().tolist(), lengths.tolist(), strict=True)
        ]


def model(tags: int) -> Any:
    """The network from word ids [B, 113] and character ids [B, 113, 10] to emissions."""
    import keras

    from fastner.training.recipe import preset

    layers, recipe = keras.layers, preset("notebook")
    words = layers.Input((WORDS,), dtype="int32")
    characters = layers.Input((WORDS, CHARACTERS), dtype="int32")
    # every word a row, as TimeDistributed does in Keras 2; that of Keras 3 unrolls a loop over
    # the 113 words, whose first call alone took 82 s against 6 s
    x = keras.ops.reshape(characters, (-1, CHARACTERS))
    x = layers.Embedding(128, recipe.character_width)(x)
    *below, last = recipe.character_hidden
    for units in below:
        x = layers.GRU(units, return_sequences=True)(x)
    x = keras.ops.reshape(layers.GRU(last)(x), (-1, WORDS, last))
    vectors = layers.Embedding(VECTORS, VECTOR_WIDTH, trainable=False)(words)
    x = layers.Concatenate()([vectors, x])
    for units in recipe.hidden:
        x = layers.Bidirectional(layers.LSTM(units, return_sequences=True))(x)
    for units in recipe.dense:
        x = layers.Dense(units, activation="tanh")(x)
    return keras.Model([words, characters], layers.Dense(tags)(x))


class Padding:
    """Arrays of 113 words and 10 characters, filled by a loop; ids are given in order of sight."""

    def __init__(self) -> None:
        self._word_ids: dict[str, int] = {}
        self._character_ids = {chr(code): code - 30 for code in range(32, 127)}

    def pad(
        self, sentences: list[list[str]]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Word ids [B, 113], character ids [B, 113, 10] and lengths [B]; longer ones are cut."""
        import numpy as np

        word_ids, character_ids = self._word_ids, self._character_ids
        words = np.zeros((len(sentences), WORDS), np.int32)
        characters = np.zeros((len(sentences), WORDS, CHARACTERS), np.int32)
        lengths = np.zeros(len(sentences), np.int32)
        for b, sentence in enumerate(sentences):
            lengths[b] = min(len(sentence), WORDS)
            for t, word in enumerate(sentence[:WORDS]):
                words[b, t] = word_ids.setdefault(word.lower(), len(word_ids) + 1)
                for c, character in enumerate(word[:CHARACTERS]):
                    characters[b, t, c] = character_ids.get(character, 1)
        return words, characters, lengths


if __name__ == "__main__":
    serve(Notebook())
