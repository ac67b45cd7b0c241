"""Recipes: every choice of a training run, in one immutable value."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from numbers import Real
from typing import Any

from fastner.bundle.manifest import MAX_CHARACTERS
from fastner.errors import InputError
from fastner.tags import TagScheme

SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True)
class Recipe:
    """The network and how it is trained; `preset` gives the two that are kept.

    Widths count units per direction. `clusters` asks for Brown clusters of the words of a language
    that has them (`lexicons`); None: where language and corpus are English. `vector_width` counts
    the numbers of a word's vector where none are given. `tune_vectors` is of vectors that are
    given: others are always trained. `dropout` is of what the LSTMs and the first dense layer read,
    token by token. `unknown_rate` is the share of the words seen at most twice in training, and of
    all words whose vector was not given, that a batch shows with the unknown word's vector: it is
    learnt so (Lample et al. 2016), and the network does not lean on words that new text lacks.
    `offset_rate` is the share of the other words whose tuned offset a batch leaves out, so that the
    network reads vectors as they come too, which is how it meets the words of new text.
    `variant_rate` is the share of the sentences that an epoch shows in lower case, in upper case or
    with typographic noise (`augment`). `schedule` is "constant", or "cosine" for a learning rate
    that falls to 0 over `epochs` (Loshchilov & Hutter 2017). `average` is the decay per step of the
    moving average of the weights that is evaluated and exported (Polyak & Juditsky 1992), 0 for
    none. An epoch goes over a small corpus as often as it takes to make `epoch_updates` updates.
    `patience` counts epochs without a better dev F1, once one was above 0. `word_count` is how
    often a word of labelled text must occur for a row, or a tuned offset, of its own;
    `silver_count` is that of silver text. `rehearse` is of training that goes on from a model:
    where a corpus says nothing of labels of the model, its marginals are learnt.
    """

    scheme: TagScheme = TagScheme.BIOES
    max_characters: int = 24
    character_width: int = 25
    character_hidden: tuple[int, ...] = (25,)
    character_bidirectional: bool = True
    case_width: int = 8
    clusters: bool | None = None
    vector_width: int = 100
    hidden: tuple[int, ...] = (96,)
    dense: tuple[int, ...] = ()
    dropout: float = 0.5
    tune_vectors: bool = True
    unknown_rate: float = 0.2
    offset_rate: float = 0.3
    variant_rate: float = 0.15
    batch_sentences: int = 32
    optimizer: str = "adam"
    learning_rate: float = 2e-3
    schedule: str = "cosine"
    clip: float = 5.0
    average: float = 0.999
    epochs: int = 30
    epoch_updates: int = 50
    patience: int = 10
    word_count: int = 1
    silver_count: int = 10
    rehearse: bool = True

    def __post_init__(self) -> None:
        if self.scheme not in (TagScheme.BIOES, TagScheme.IOB2):
            raise InputError(
                f"expected the scheme BIOES or IOB2 to train on, got {self.scheme}; corpora may be "
                "in any scheme, they are converted"
            )
        for name in ("hidden", "character_hidden", "dense"):
            widths = getattr(self, name)
            if (
                not isinstance(widths, (tuple, list))
                or not all(_whole(width, 1) for width in widths)
                or not (widths or name == "dense")
            ):
                some = "widths" if name == "dense" else "one width or more"
                raise InputError(f"expected {name} as a tuple of {some}, got {widths!r}")
            object.__setattr__(self, name, tuple(widths))  # as JSON gives it, it would be a list
        for name, least in (
            ("max_characters", 2),
            ("character_width", 1),
            ("case_width", 0),
            ("vector_width", 1),
            ("batch_sentences", 1),
            ("epochs", 1),
            ("epoch_updates", 1),
            ("patience", 1),
            ("word_count", 1),
            ("silver_count", 1),
        ):
            if not _whole(getattr(self, name), least):
                raise InputError(
                    f"expected {name} as a whole number of at least {least}, "
                    f"got {getattr(self, name)!r}"
                )
        if self.max_characters > MAX_CHARACTERS:
            raise InputError(
                f"expected max_characters of at most {MAX_CHARACTERS}, got {self.max_characters}"
            )
        if self.schedule not in SCHEDULES:
            raise InputError(f"expected schedule out of {SCHEDULES}, got {self.schedule!r}")
        for name in ("dropout", "unknown_rate", "offset_rate", "variant_rate", "average"):
            if not (isinstance(getattr(self, name), Real) and 0 <= getattr(self, name) < 1):
                raise InputError(f"expected 0 <= {name} < 1, got {getattr(self, name)!r}")
        if not (isinstance(self.learning_rate, Real) and 0 < self.learning_rate < math.inf):
            raise InputError(f"expected a learning_rate above 0, got {self.learning_rate!r}")
        if not (isinstance(self.clip, Real) and 0 <= self.clip < math.inf):
            raise InputError(f"expected clip of at least 0, which is none, got {self.clip!r}")

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON-ready values."""
        return {**asdict(self), "scheme": self.scheme.value}

    def updated(self, **choices: Any) -> Recipe:
        """This recipe with some choices changed; raises InputError for an unknown name."""
        known = {field.name for field in fields(self)}
        if unknown := sorted(set(choices) - known):
            raise InputError(
                f"expected choices of a recipe, got {', '.join(unknown)}; "
                f"there are {', '.join(sorted(known))}"
            )
        return replace(self, **choices)

    def parsed(self, name: str, value: Any) -> Any:
        """A value of JSON in the type of the field `name`, for `updated`.

        The scheme is given by its name, widths as a list, and a whole number may stand for a
        number. Raises InputError for other types and for an unknown name; whether the value itself
        will do is for the recipe that it goes into.
        """
        known = [field.name for field in fields(self)]
        if name not in known:
            raise InputError(f"{name}: expected one of {', '.join(known)}")
        present = getattr(self, name)
        if name == "clusters":
            expected = "true, false or null"
            if value is None or type(value) is bool:
                return value
        elif isinstance(present, TagScheme):
            schemes = {scheme.value: scheme for scheme in TagScheme}
            expected = " or ".join(schemes)
            if type(value) is str and value in schemes:
                return schemes[value]
        elif isinstance(present, tuple):
            expected = "a list of whole numbers, as in [128]"
            if type(value) is list and all(type(width) is int for width in value):
                return tuple(value)
        else:
            kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
            expected = kinds[type(present)]
            if type(present) is float and type(value) is int:
                return float(value)
            if type(value) is type(present):
                return value
        raise InputError(f"{name}: expected {expected}, got {json.dumps(value)}")


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and value >= least


PRESETS = {
    "default": Recipe(),
    # The notebook that fastner grew out of: characters of at most 10 per word through three
    # GRU(30), frozen vectors, five BiLSTM(20), four tanh layers, plain Adam, no regularisation.
    "notebook": Recipe(
        scheme=TagScheme.IOB2,
        max_characters=10,
        character_width=32,
        character_hidden=(30, 30, 30),
        character_bidirectional=False,
        case_width=0,
        clusters=False,
        hidden=(20, 20, 20, 20, 20),
        dense=(40, 40, 40, 40),
        dropout=0.0,
        tune_vectors=False,
        unknown_rate=0.0,
        offset_rate=0.0,
        variant_rate=0.0,
        batch_sentences=256,
        learning_rate=1e-3,
        schedule="constant",
        clip=0.0,
        average=0.0,
        epochs=400,
        epoch_updates=1,
        patience=40,
    ),
}


def preset(name: str) -> Recipe:
    """The recipe of this name; raises InputError for any other."""
    try:
        return PRESETS[name]
    except KeyError:
        raise InputError(f"expected a preset out of {', '.join(PRESETS)}, got {name!r}") from None
