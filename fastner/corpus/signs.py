"""Signs that a corpus was misread: each is one warning that says what to do."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain

from fastner.tags import labels_of, shown

NO_ENTITY = "all tags are O"  # how the sign of that begins

_LANGUAGE = re.compile(r"([a-z]{2,3}(?:-[a-z]+)*:).")  # en: of WikiANN, zh-min-nan: of its others
_TAG = re.compile(r"O\Z|[BIESLU]-\w")
_PREFIXED = re.compile(r"[BIESLU]-.")
_ONE_WORD = 10  # so many sentences of one word each are no chance


def signs(sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> list[str]:
    """What looks wrong with words and tags; empty for a corpus without sentences."""
    words = list(chain.from_iterable(sentences))
    if not words:
        return []
    found = []
    prefixes = Counter(m[1] for m in map(_LANGUAGE.match, words) if m)
    prefix, count = prefixes.most_common(1)[0] if prefixes else ("", 0)
    if count > 0.9 * len(words):
        found.append(
            f"{count:,} of {len(words):,} words begin with {prefix!r}, as in the files of WikiANN; "
            f"take it off, as with sed 's/^{prefix}//'"
        )
    count = sum(_TAG.match(word) is not None for word in words)
    if count > 0.5 * len(words):
        found.append(
            f"{count:,} of {len(words):,} words look like tags; name the column of the words "
            "(--word-column)"
        )
    count = sum(word.isdecimal() for word in words)
    if count > 0.9 * len(words):
        found.append(
            f"{count:,} of {len(words):,} words are numbers; name the column of the words "
            "(--word-column)"
        )
    if len(sentences) >= _ONE_WORD and len(words) <= 1.05 * len(sentences):
        found.append(
            f"{len(sentences):,} sentences hold {len(words):,} words; a blank line belongs after a "
            "sentence, not after each word"
        )
    if not tags:
        return found
    labels = labels_of(chain.from_iterable(tags))
    if not labels:
        found.append(
            f"{NO_ENTITY}, so there is no entity; name the tags "
            "(--tag-column, --tag-key) or check that the file is annotated"
        )
    doubled = [label for label in labels if _PREFIXED.match(label)]
    if doubled:
        found.append(
            f"labels begin with a prefix of tags, as {shown(doubled[0])}: tags were given a prefix "
            "twice; take one off"
        )
    return found
