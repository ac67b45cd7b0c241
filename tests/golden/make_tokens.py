"""Writes fastner/deploy/tokens.jsonl: the texts of texts.txt with the tokens that they give.

Run from the project's root, after a change of the tokenizer that is meant. It says which texts
have other tokens than in the file before, and fails where one has others than texts.txt expects, or
those that it says are known not to come.

    python tests/golden/make_tokens.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from texts import Text, read_texts, spelled

import fastner
from fastner.deploy.tokens import GOLDEN_TOKENS


def tokens(text: Text) -> list[list[fastner.Token]]:
    return fastner.tokenize(text.text, language=text.language, lines=text.lines, html=text.html)


def golden(text: Text) -> dict[str, Any]:
    """The line of the file: offsets in code points, and true behind those of markup."""
    options = {"language": text.language, "lines": text.lines, "html": text.html}
    sentences = [
        [[t.start, t.end, True] if t.markup else [t.start, t.end] for t in sentence]
        for sentence in tokens(text)
    ]
    return {"text": text.text, "options": options, "sentences": sentences}


def shown(sentences: list[list[tuple[str, bool]]]) -> list[str]:
    """The sentences as texts.txt has them."""
    return [
        " ".join(
            f"⟦{word}⟧" if markup else word
            for word, markup in (
                (spelled(word).replace(" ", "\\x20"), markup) for word, markup in sentence
            )
        )
        for sentence in sentences
    ]


def main() -> int:
    before = {}
    if GOLDEN_TOKENS.exists():
        for line in GOLDEN_TOKENS.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            before[(case["text"], *case["options"].values())] = case
    lines, wrong = [], 0
    for text in read_texts():
        case = golden(text)
        lines.append(json.dumps(case, ensure_ascii=True, separators=(",", ":")) + "\n")
        got = shown([[(t.text, t.markup) for t in sentence] for sentence in tokens(text)])
        if text.expected and (shown(text.expected) == got) == text.known:
            wrong += 1
            print(f"texts.txt:{text.line}: {spelled(text.text)}")
            print(*(f"  expected {line}" for line in shown(text.expected)), sep="\n")
            print(*(f"  got      {line}" for line in got), sep="\n")
        elif before.get((text.text, text.language, text.lines, text.html), case) != case:
            print(f"texts.txt:{text.line}: {spelled(text.text)}")
            print(*(f"  now {line}" for line in got), sep="\n")
    GOLDEN_TOKENS.write_text("".join(lines), encoding="utf-8", newline="\n")
    print(f"{GOLDEN_TOKENS}: {len(lines)} texts, {wrong} other than expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
