"""The page of a report shows what was compared, whatever the words are, and nothing else."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastner.evaluation import report
from fastner.evaluation.analysis import analyse
from fastner.evaluation.report import report_page
from fastner.tags import Span, spans_of

VOID = {"meta", "link"}
CLOSED = {"html", "title", "style", "header", "dl", "div", "table", "span", "b", "i", "small"}
CLOSED |= {"p", "ul", "details", "summary", "code", "strong", "footer", "h1", "h2"}
OPEN = {"dt", "dd", "tr", "th", "td", "thead", "tbody", "li"}  # closed by what follows


class Page(HTMLParser):
    """What a page holds: `strips`, each [(gold band, word, predicted band)]; and all its text.

    A band is (label, classes), or None where there is none.
    """

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.html, self.strips, self.text = html, [], ""
        self.stack = []  # of open elements: (tag, class)
        self.feed(html)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        kind = attrs.get("class", "")
        assert tag in VOID | CLOSED | OPEN, tag
        assert not attrs.keys() & {"src", "onclick", "onload"}
        assert attrs.get("href", "data:,") == "data:,"
        if tag in CLOSED:
            self.stack.append((tag, kind))
        if kind == "strip":
            self.strips.append([])
            self.direction = attrs["dir"]
        elif self.parent() == ("div", "strip"):
            self.strips[-1].append([])
        elif self.parent(2) == ("div", "strip"):
            band = tag == "b" and (["", kind.split()] if attrs else None)
            self.strips[-1][-1].append("" if tag == "span" else band)

    def parent(self, levels=1):
        return self.stack[-levels - 1] if len(self.stack) > levels else None

    def handle_endtag(self, tag):
        if tag in CLOSED:
            assert self.stack.pop()[0] == tag

    def handle_data(self, data):
        tags = [tag for tag, _ in self.stack]
        if "style" in tags:
            return
        self.text += data
        if ("div", "strip") in self.stack:
            if "b" in tags:
                self.strips[-1][-1][-1][0] += data
            else:
                self.strips[-1][-1][-1] += data

    def words(self, strip):
        return [word.removesuffix(" ") for _, word, _ in self.strips[strip]]

    def spans(self, strip, side):
        """The (span, wrong) of one side of a strip: 0 is above, 2 is below."""
        spans = []
        for i, column in enumerate(self.strips[strip]):
            if column[side] is None:
                continue
            label, classes = column[side]
            if "first" in classes:
                spans.append([i, None, label, "wrong" in classes])
            else:
                assert label == "" and ("wrong" in classes) == spans[-1][3]
            if "last" in classes:
                spans[-1][1] = i + 1
        return [(Span(start, end, label), wrong) for start, end, label, wrong in spans]


HOSTILE = ["<script>alert(1)</script>", "</style>", "&amp;", '"', "\ud800", "\u202e", "x\u200by"]
WORDS = st.text(min_size=1, max_size=6) | st.sampled_from([*HOSTILE, "שלום"])
LABELS = ["PER", "<b>&", "Ж\u200b"]
TAGS = ["O"] + [f"{prefix}-{label}" for prefix in "BI" for label in LABELS]
CORPORA = st.lists(
    st.lists(st.tuples(WORDS, *[st.sampled_from(TAGS)] * 2), min_size=1, max_size=8), max_size=4
).map(lambda rows: [[[token[part] for token in row] for row in rows] for part in range(3)])


def visible(text):
    return "".join(c if c.isprintable() or c in "\u200c\u200d" else f"U+{ord(c):04X}" for c in text)


@given(CORPORA)
def test_the_worst_sentences_are_shown_as_they_are(corpus):
    sentences, gold, predicted = corpus
    analysis = analyse(gold, predicted)
    page = Page(report_page(sentences, analysis, facts={"<a>": "\udcff</dl>"}))
    page.html.encode()  # no lone surrogates are left
    assert "U+DCFF</dl>" in page.text
    for strip, (i, pairs) in enumerate(analysis.worst()):
        assert page.words(strip) == [visible(word) for word in sentences[i]]
        wrong = {side: {pair[side] for pair in pairs if pair.kind != "correct"} for side in (1, 2)}
        for side, band, tags in ((1, 0, gold), (2, 2, predicted)):
            expected = [
                (span._replace(label=visible(span.label)), span in wrong[side])
                for span in spans_of(tags[i])
            ]
            assert page.spans(strip, band) == expected


def corpus_of(errors):
    """Sentences of 30 words with as many missed entities each."""
    sentences = [[f"w{i}" for i in range(30)] for _ in errors]
    gold = [["B-X"] * count + ["O"] * (30 - count) for count in errors]
    return sentences, analyse(gold, [["O"] * 30 for _ in errors])


def test_what_is_left_out_is_said(monkeypatch):
    monkeypatch.setattr(report, "WORST_SHOWN", 2)
    monkeypatch.setattr(report, "ERRORS_SHOWN", 4)
    monkeypatch.setattr(report, "WORDS_SHOWN", 10)
    page = Page(report_page(*corpus_of([1, 0, 3, 2]), facts={}))
    assert "2 of 3 sentences with errors, most errors first" in page.text
    assert "sentence 3: 3 errors 3 missed; words 1 to 10 of 30" in page.text
    assert "Missed: 6, of which the first 4 follow" in page.text
    assert "Spurious: 0 " in page.text
    assert [len(strip) for strip in page.strips[:2]] == [11, 11]
    assert page.words(0) == [*(f"w{i}" for i in range(10)), "…"]
    assert len(page.strips) == 2 + 4


def test_an_error_far_into_a_long_sentence_is_shown(monkeypatch):
    monkeypatch.setattr(report, "WORDS_SHOWN", 20)
    words = [f"w{i}" for i in range(1000)]
    tags = ["O"] * 500 + ["B-X", "I-X"] + ["O"] * 498
    page = Page(report_page([words], analyse([tags], [["O"] * 1000]), facts={}))
    assert "words 495 to 514 of 1,000" in page.text
    assert page.words(0) == ["…", *words[494:514], "…"]
    assert page.words(1) == ["…", *words[494:508], "…"]
    assert "<strong>w500</strong>" in page.html and "<strong>w502</strong>" not in page.html


def test_numbers():
    gold = [["B-X", "I-X", "O", "B-Y"], ["B-X", "O"]]
    predicted = [["B-X", "O", "O", "B-X"], ["B-X", "O"]]
    page = Page(report_page([list("abcd"), list("ef")], analyse(gold, predicted), facts={"k": "v"}))
    text = re.sub(r"\s+", " ", page.text)
    assert "Evaluation: entity F1 33.33" in text
    rows = re.findall("<tr>(.*)", page.html)
    cells = [re.sub("<[^>]*>", " ", row).split() for row in rows]
    assert ["X", "40.00", "33.33", "50.00", "2", "3", "1"] in cells
    assert ["all", "33.33", "33.33", "33.33", "3", "3", "1"] in cells
    assert ["X", "2", "0", "0", "2"] in cells  # confusion: one is a boundary error
    assert ["Y", "1", "0", "0", "1"] in cells
    assert ["sum", "3", "0", "0"] in cells
    kinds = {row[0]: row for row in cells}
    assert kinds["Boundary"][-5:] == ["50.0", "66.67", "+33.33", "1", "0"]
    assert kinds["Missed"][-5:] == ["0.0", "33.33", "+0.00", "0", "0"]


@pytest.mark.parametrize(
    ("words", "direction"),
    [(["1", "שלום", "a"], "rtl"), (["1", "a", "שלום"], "ltr"), (["1"], "ltr")],
)
def test_direction_of_the_script(words, direction):
    tags = [["B-X"] + ["O"] * (len(words) - 1)]
    page = Page(report_page([words], analyse(tags, [["O"] * len(words)]), facts={}))
    assert page.direction == direction


def test_nothing_to_report():
    page = Page(report_page([], analyse([], []), facts={}))
    assert page.text.count("None.") == 6
