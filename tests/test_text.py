"""Tokenizer: nothing lost on any text, linear time, and CoNLL-2003's habits."""

import sys
import time

import pytest
from fuzz.text import RULES, check_invariants, check_pieces, check_utf8
from hypothesis import example, given
from hypothesis import strategies as st

from fastner.errors import InputError
from fastner.text import Token, printable, rules, tokenize

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too
RULE_TEXT = st.lists(st.sampled_from(RULES)).map("".join)


def words(text: str) -> list[str]:
    return [token.text for sentence in tokenize(text) for token in sentence]


def lines(text: str) -> list[str]:
    return [" ".join(token.text for token in sentence) for sentence in tokenize(text)]


@given(ANY_TEXT)
@example("")
@example("\x00")
@example("\ud800")
@example("\ud83d\udc4d")
@example(" \n\t ")
@example("👨‍👩‍👧‍👦❤️‍🔥🏴󠁧󠁢󠁥󠁮󠁧󠁿🇫🇷🇩1️⃣")
def test_invariants_on_any_text(text):
    check_invariants(text)


@given(RULE_TEXT)
def test_invariants_on_text_full_of_rules(text):
    check_invariants(text)


def test_every_code_point_either_separates_or_is_kept():
    for begin in range(0, sys.maxunicode + 1, 4096):
        chars = [chr(code) for code in range(begin, begin + 4096)]
        check_invariants("a".join(chars))


@given(st.one_of(ANY_TEXT, RULE_TEXT))
@example("")
@example("word,")
def test_compiled_code_finds_the_pieces_of_the_pattern(text):
    check_pieces(text)


@given(st.one_of(ANY_TEXT, RULE_TEXT))
@example("")
@example("\x7f\x80\u07ff\u0800\uffff\U00010000\U0010ffff")
def test_utf8_is_cut_alike(text):
    check_utf8(text)


@pytest.mark.parametrize(
    "data",
    [b"ab\x80", b"ab\xc3", b"ab\xc0\x80", b"ab\xe0\x80\x80", b"ab\xed\xa0\x80", b"ab\xf5\x80\x80\x80",
     b"ab\xf0\x80\x80\x80", b"ab\xf4\x90\x80\x80", b"ab\xe2\x82", b"ab\xff"],
)  # fmt: skip
def test_what_is_no_utf8_is_refused(data):
    with pytest.raises(InputError, match="expected UTF-8, got the byte .* at byte 2"):
        rules("en").split_utf8(data)


def test_a_subclass_of_str_is_text():
    class Text(str):
        def __getitem__(self, key):
            raise AssertionError("a subclass may not change what a text is")

    (tokens,) = tokenize(Text("Ada's U.S. visit"))
    assert [token.text for token in tokens] == ["Ada", "'s", "U.S.", "visit"]
    assert all(type(token.text) is str for token in tokens)


def test_compiled_code_knows_every_code_point():
    for begin in range(0, sys.maxunicode + 1, 4096):
        chars = map(chr, range(begin, begin + 4096, 1 if begin < 0x10000 else 61))
        check_pieces(" ".join(f"a{c} {c}, b{c}1 {c} {c}." for c in chars))


@pytest.mark.parametrize(
    "text",
    [
        "a." * 500_000, "(" * 10**6, "1," * 10**6, "a" * 10**7, "a" * 10**5 + "-", "a-" * 50_000,
        "-" * 10**5, "- " * 10**5, "a'" * 50_000, "n't" * 30_000, "a@" * 50_000, "." * 10**5,
        ". " * 50_000, "\n" * 10**5, " " * 10**5, "\n " * 50_000, "http://" * 10**5,
        "http://" + "." * 10**5, "#1" * 50_000, "#" + "1" * 10**5, "a.b/" * 10**5, "+" * 10**5,
        "👍\u200d" * 10**5, "👍" + "🏽" * 10**5, "\u0301" * 10**5, "\x00" * 10**5, "A$" * 10**5,
        '."' * 50_000, "." + ")" * 10**5, "Mr." * 10**5, "1. " * 10**5, "\n1." * 10**5,
        "\ud800" * 10**5, "www." * 10**5, "a." * 10**5 + "@", "aa.aa-" * 10**5, "'" * 10**5,
    ],
    ids=lambda text: f"{text[:4]!a}x{len(text)}",
)  # fmt: skip
def test_hostile_text_takes_linear_time(text):
    began = time.process_time()
    sentences = tokenize(text)
    seconds = time.process_time() - began
    # Quadratic time would take minutes; the worst one here takes some 2 µs a character.
    assert seconds < 1e-5 * len(text) + 1
    assert "".join(token.text for tokens in sentences for token in tokens) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Punctuation, brackets, quotes
        ("Yes, (no) [x]; a: b", "Yes , ( no ) [ x ] ; a : b"),
        ('"Go," he said', '" Go , " he said'),
        ("“Go” ‘now’ «ici»", "“ Go ” ‘ now ’ « ici »"),
        ("``a''", "`` a ''"),
        ("so -- yes", "so -- yes"),
        ("so--yes", "so -- yes"),
        ("well... er… ....", "well ... er … ...."),
        ("What?! No!!!", "What ?! No !!!"),
        ("and/or a|b <c>", "and / or a | b < c >"),
        ("Paris—Rome", "Paris — Rome"),
        ("a,b", "a , b"),
        # Clitics
        ("don't CAN'T won’t", "do n't CA N'T wo n’t"),
        ("it's she'll they're we've I'm he'd", "it 's she 'll they 're we 've I 'm he 'd"),
        ("it’s ANN'S", "it ’s ANN 'S"),
        ("the boys' club", "the boys ' club"),
        ("the U.S.'s role", "the U.S. 's role"),
        ('"Jaws"\'s star', '" Jaws " \'s star'),
        ("cannot", "cannot"),  # whole in CoNLL-2003
        # Apostrophes inside names
        ("O'Brien l'Oréal D’Arcy rock'n'roll", "O'Brien l'Oréal D’Arcy rock'n'roll"),
        # Abbreviations
        ("Mr. Roe, Dr. Doe", "Mr. Roe , Dr. Doe"),
        ("the U.S. and U.N. at 5 p.m. today", "the U.S. and U.N. at 5 p.m. today"),
        ("e.g. this, i.e. that", "e.g. this , i.e. that"),
        ("Acme Inc. and ACME CORP. of St. Ives", "Acme Inc. and ACME CORP. of St. Ives"),
        ("on Jan. 5 in Fla. hills", "on Jan. 5 in Fla. hills"),
        ("J. R. Roe and A.B. Doe", "J. R. Roe and A.B. Doe"),
        ("J.R.Roe", "J.R.Roe"),
        ("U.S.-led talks, Calif.-based Acme", "U.S.-led talks , Calif.-based Acme"),
        ("No. 5, p. 7", "No. 5 , p. 7"),
        ("a Ph.D. student", "a Ph.D. student"),
        # Numbers
        ("1,234.56 3.5% $5 €7 US$9 A$ 3", "1,234.56 3.5 % $ 5 € 7 US$ 9 A$ 3"),
        ("10:30 1996-08-22 2-1 6–4 1996/97 3-1/2", "10:30 1996-08-22 2-1 6–4 1996/97 3-1/2"),
        ("+44 .5 10th 1980s 26-year-old", "+44 .5 10th 1980s 26-year-old"),
        ("1+1", "1 + 1"),
        ("3,000, 4.", "3,000 , 4 ."),
        # Hyphens and joints
        ("COMMERCE-BASED co‐op", "COMMERCE-BASED co‐op"),
        ("- a", "- a"),
        ("AT&T S&P R&D C++ C# AA+", "AT&T S&P R&D C++ C# AA+"),
        ("in Paris.The end", "in Paris . The end"),
        ("example.com, Node.js v1.2.3", "example.com , Node.js v1.2.3"),
        # Internet
        ("see http://a.org/b?c=d&e=f#g.", "see http://a.org/b?c=d&e=f#g ."),
        ("(https://a.org), www.b.com/!", "( https://a.org ) , www.b.com/ !"),
        ("bit.ly/Ab1 mail j.doe+x@a-b.co.uk.", "bit.ly/Ab1 mail j.doe+x@a-b.co.uk ."),
        ("@jane_doe: #ner #1", "@jane_doe : #ner # 1"),
        # Any script, emoji, invisible characters
        ("Zoe\u0308 Москва, दिल्ली", "Zoe\u0308 Москва , दिल्ली"),
        ("東京、大阪", "東 京 、 大 阪"),
        ("Paris🎉👍🏽👨‍👩‍👧🇫🇷🇩🇪", "Paris 🎉 👍🏽 👨‍👩‍👧 🇫🇷 🇩🇪"),
        ("\ufeffParis\u200b", "\ufeffParis\u200b"),
    ],
)  # fmt: skip
def test_tokens(text, expected):
    assert " ".join(words(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # A stop, white space, and a capital, digit, quote, bracket or symbol
        ("He left. She stayed.", ["He left .", "She stayed ."]),
        ("Why? Go! 5 left.", ["Why ?", "Go !", "5 left ."]),
        ("Well... She left", ["Well ...", "She left"]),
        ('"Go!" "Why?" (Yes.) Fine.', ['" Go ! "', '" Why ? "', "( Yes . )", "Fine ."]),
        ("It fell. €5 is little. @jane agrees", ["It fell .", "€ 5 is little .", "@jane agrees"]),
        ("It fell. iPhone sales rose.", ["It fell .", "iPhone sales rose ."]),
        ("Я здесь. Он там.", ["Я здесь .", "Он там ."]),
        # … but not before lower case or joining punctuation
        ('"Why?" he asked.', ['" Why ? " he asked .']),
        ("i went. then slept", ["i went . then slept"]),
        ("Why? -- she asked", ["Why ? -- she asked"]),
        ("Yahoo!, Inc", ["Yahoo ! , Inc"]),
        # Abbreviations
        ("I met Mr. The and Dr. In.", ["I met Mr. The and Dr. In ."]),
        ("It is in the U.S. The rest is not.", ["It is in the U.S.", "The rest is not ."]),
        ("It is in the U.S. Senate.", ["It is in the U.S. Senate ."]),
        ("He runs Acme Inc. It's big.", ["He runs Acme Inc.", "It 's big ."]),
        ("He runs Acme Inc. Jane left.", ["He runs Acme Inc.", "Jane left ."]),
        ("J. A. Roe met I. A. Doe.", ["J. A. Roe met I. A. Doe ."]),
        ("Take plan B. The rest is lost.", ["Take plan B.", "The rest is lost ."]),
        ("No. He left with No. 5.", ["No .", "He left with No. 5 ."]),
        # The end of the text or paragraph
        ("He runs Acme Inc.", ["He runs Acme Inc."]),
        ("He likes Cupertino.", ["He likes Cupertino ."]),
        ("He took vitamin C.", ["He took vitamin C ."]),
        ("(He took vitamin C.)\n\nNext", ["( He took vitamin C . )", "Next"]),
        ("a head line\n\nthe text", ["a head line", "the text"]),
        ("a\r\n\r\nb \n \n c", ["a", "b", "c"]),
        # List items
        ("1. Jane Roe\n2. Ann Doe", ["1. Jane Roe", "2. Ann Doe"]),
        ("Who:\n- Jane\n * Ann\n• Zoe", ["Who :", "- Jane", "* Ann", "• Zoe"]),
        ("He came in\n1996. Then", ["He came in 1996 .", "Then"]),
        # Stops that need no space
        ("東京です。「次。」三。", ["東 京 です 。", "「 次 。 」", "三 。"]),
        ("", []),
        (" \n\n ", []),
    ],
)  # fmt: skip
def test_sentences(text, expected):
    assert lines(text) == expected


def test_offsets_count_characters():
    assert tokenize("Mr. 👍🏽 Roe") == [
        [Token("Mr.", 0, 3), Token("👍🏽", 4, 6), Token("Roe", 7, 10)]
    ]


def test_a_word_with_too_many_joints_is_cut():
    assert words("-".join("a" * 65)) == ["-".join("a" * 65)]
    assert words("-".join("a" * 66)) == ["-".join("a" * 65), "-", "a"]


@pytest.mark.parametrize("text", [b"bytes", None, ["a"]])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(InputError, match="expects a str"):
        tokenize(text)


def test_conll2003_words_survive(conll2003):
    """Words joined by spaces come back as they were: the model sees what it was trained on."""
    rows = (conll2003 / "valid.txt").read_text(encoding="utf-8").split("\n\n")
    gold = [
        [row.split(" ")[0] for row in block.split("\n") if row and not row.startswith("-DOCSTART-")]
        for block in rows
    ]
    same = total = 0
    for sentence in filter(None, gold):
        tokens = (token for tokens in tokenize(" ".join(sentence)) for token in tokens)
        found = {(token.start, token.end) for token in tokens}
        start = 0
        for word in sentence:
            same += (start, start + len(word)) in found
            start += len(word) + 1
        total += len(sentence)
    assert same / total > 0.999


@given(ANY_TEXT)
def test_printable_text_prints_and_can_be_read_back(text):
    shown = printable(text)
    assert shown.isprintable()
    if "\\" not in text:  # backslashes of the text are not escaped
        assert shown.encode("latin-1", "backslashreplace").decode("unicode_escape") == text


def test_printable_text_keeps_and_escapes_as_told():
    assert printable("a\n\x1b[2J\u202eb") == r"a\n\x1b[2J\u202eb"
    assert printable("a\n\r\nb", keep="\n") == "a\n\\r\nb"
    assert printable("<\ud800\u200d>", keep="\u200d", escape=ascii) == "<'\\ud800'\u200d>"
