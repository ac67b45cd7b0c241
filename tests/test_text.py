"""Tokenizer: nothing lost on any text, linear time, and CoNLL-2003's habits."""

import json
import re
import sys

import pytest
from fuzz.text import RULES, check_invariants, check_pieces, check_utf8
from hypothesis import example, given
from hypothesis import strategies as st
from small import quickest

from fastner._text import Rules
from fastner.errors import InputError
from fastner.lists.rules import CLASSES, LANGUAGES, ranges, rules_of
from fastner.text import Token, joined, printable, rules, tokenize

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too
RULE_TEXT = st.lists(st.sampled_from(RULES)).map("".join)


def words(text: str, **options) -> list[str]:
    return [token.text for sentence in tokenize(text, **options) for token in sentence]


def lines(text: str, **options) -> list[str]:
    """A string a sentence; what is stepped over stands between « »."""
    return [
        " ".join(f"«{token.text}»" if token.markup else token.text for token in sentence)
        for sentence in tokenize(text, **options)
    ]


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
    [b"ab\x80", b"ab\xc3", b"ab\xc0\x80", b"ab\xe0\x80\x80", b"ab\xed\xa0\x80", b"ab\xe2\x82",
     b"ab\xf5\x80\x80\x80", b"ab\xf0\x80\x80\x80", b"ab\xf4\x90\x80\x80", b"ab\xff"],
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
        check_pieces(" ".join(f"a{c}1 {c}, {c}" for c in chars))


@pytest.mark.parametrize(
    "text",
    [
        "a." * 500_000, "(" * 10**6, "1," * 10**6, "a" * 10**7, "a" * 10**5 + "-", "a-" * 50_000,
        "-" * 10**5, "- " * 10**5, "a'" * 50_000, "n't" * 30_000, "a@" * 50_000, "." * 10**5,
        ". " * 50_000, "\n" * 10**5, " " * 10**5, "\n " * 50_000, "http://" * 10**5,
        "http://" + "." * 10**5, "#1" * 50_000, "#" + "1" * 10**5, "a.b/" * 10**5, "+" * 10**5,
        "👍\u200d" * 10**5, "👍" + "🏽" * 10**5, "\u0301" * 10**5, "\x00" * 10**5, "A$" * 10**5,
        '."' * 50_000, "." + ")" * 10**5, "Mr." * 10**5, "1. " * 10**5, "\n1." * 10**5,
        "_a " * 10**5, "**a" * 10**5, "_a " * 10**5 + "b_", "`a``b" * 10**5, "[a](" * 10**5,
        "[" * 10**5, "[a](b" * 10**5, '[a](b "' * 10**5, "|a" * 10**5, "|-" * 10**5, "> " * 10**5,
        ">\n" * 10**5, "a\n" * 10**5, "a-\n" * 10**5, "aa\xad\n" * 10**5, "\u200b " * 10**5,
        "_a \u200b b_ " * 10**5, "a\t" * 10**5, "# a\n" * 10**5, "http://(" * 10**5, "(a" * 10**5,
        "The long line of wrapped prose runs on\nand on " * 10**4, "St. " * 10**5, "a.[1]" * 10**5,
        "[1]" * 10**5, "Ａ" * 10**5, "東" * 10**5, "กา" * 10**5, "A! " * 10**5, "l'" * 10**5,
        "\ud800" * 10**5, "www." * 10**5, "a." * 10**5 + "@", "aa.aa-" * 10**5, "'" * 10**5,
    ],
    ids=lambda text: f"{text[:4]!a}x{len(text)}",
)  # fmt: skip
def test_hostile_text_takes_linear_time(text):
    # Quadratic time would take minutes; the worst one here takes some 0.3 µs a character.
    enough = 1e-5 * len(text) + 1
    assert quickest(lambda: tokenize(text), enough) < enough
    found = "".join("".join(token.text.split()) for tokens in tokenize(text) for token in tokens)
    assert found == "".join(text.split())


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
        ("I work for Foo Ltd. Mary works elsewhere.",
         ["I work for Foo Ltd.", "Mary works elsewhere ."]),
        ("She left J.P. Morgan & Co. Investors were sad.",
         ["She left J.P. Morgan & Co.", "Investors were sad ."]),
        ("He owns Bar Inc. Shares rose.", ["He owns Bar Inc.", "Shares rose ."]),
        ("It hit Acme Inc. Chairman Roe said.", ["It hit Acme Inc. Chairman Roe said ."]),
        ("In Acme Corp. Chief Executive Mary Roe.", ["In Acme Corp. Chief Executive Mary Roe ."]),
        ("He lives in Washington, D.C. Boris left.",
         ["He lives in Washington , D.C.", "Boris left ."]),
        ("The D.C. Circuit ruled.", ["The D.C. Circuit ruled ."]),
        ("She has a Ph.D. Mary has none.", ["She has a Ph.D.", "Mary has none ."]),
        ("He met Tim Roe Jr. Anna sang.", ["He met Tim Roe Jr.", "Anna sang ."]),
        ("On Elm St. Anna lives too.", ["On Elm St.", "Anna lives too ."]),
        ("In St. Anna it rained. In St. Paul left.",
         ["In St. Anna it rained .", "In St. Paul left ."]),
        ("The U.S. President Bill Roe met K.T. Thomas.",
         ["The U.S. President Bill Roe met K.T. Thomas ."]),
        ("Gen. Lee and Lt. Col. Ada Doe left.", ["Gen. Lee and Lt. Col. Ada Doe left ."]),
        ("We saw J. Mary Roe and J.R.R. Roe.", ["We saw J. Mary Roe and J.R.R. Roe ."]),
        ("He likes tea, etc. Investors left.", ["He likes tea , etc.", "Investors left ."]),
        ("Yahoo! Inc. fell. Guess? Inc. rose.", ["Yahoo ! Inc. fell .", "Guess ? Inc. rose ."]),
        ("I use Yahoo! Mail. I like Yahoo! It is old.",
         ["I use Yahoo ! Mail .", "I like Yahoo !", "It is old ."]),
        ("Oh! Canada won. Bravo! Yum! Brands fell.",
         ["Oh !", "Canada won .", "Bravo !", "Yum ! Brands fell ."]),
        ("Born in Kumasi.[4] He left.[12][a] So",
         ["Born in Kumasi . [ 4 ]", "He left . [ 12 ] [ a ]", "So"]),
        ("He died.[note 2] A road.[citation needed] Tony.¹ Bo.[a b c d] So",
         ["He died . [ note 2 ]", "A road . [ citation needed ]", "Tony . ¹",
          "Bo . [ a b c d ] So"]),
        ("He wrote.Then he slept.", ["He wrote .", "Then he slept ."]),
        ("see org.example.App, System.Out and foo.Bar() now",
         ["see org.example . App , System . Out and foo . Bar ( ) now"]),
        ("Method ........ 12", ["Method ........ 12"]),
        ("He met J. F. Roe Jr. Bill left (P. Such 8-118). Tel+44 1+1",
         ["He met J. F. Roe Jr.", "Bill left ( P. Such 8-118 ) .", "Tel +44 1 + 1"]),
        ("At 6 p.m. Nobody came.", ["At 6 p.m.", "Nobody came ."]),
        ("“Stop. ” He left.", ["“ Stop . ”", "He left ."]),
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


# --- Lines ------------------------------------------------------------------------------------

WRAPPED = [
    (
        "I met Tim\nCook in Oslo, and we talked about the weather for an hour before\nthe train to "
        "Bergen left the station on time for once in its life."
    ),
    (
        "The president of the United\nStates met Angela Roe in Berlin on Tuesday, and discussed\n"
        "trade and security."
    ),
    (
        "Yesterday the chief executive of Acme, Mary\nRoe, said that the company will open an "
        "office in New\nYork and another in San\nFrancisco by the end of the year."
    ),
    (
        "Researchers at the University of\nOslo have found a new species, which they named after "
        "Roald\nAmundsen."
    ),
    "She works for the\nEuropean Commission in Brussels.",
    "She joined Goldman\nSachs in 2010.",
    "This morning, President Joe\nRoe met Chancellor Olaf Doe in Berlin to discuss energy.",
    (
        "Shares of Acme fell on Monday after the company said that its\r\nprofit would be smaller "
        "than in the year before, and that Mary\r\nRoe would leave."
    ),
]


@pytest.mark.parametrize("text", WRAPPED)
def test_wrapped_prose_is_one_sentence(text):
    assert lines(text) == [" ".join(words(text.replace("\r\n", " ").replace("\n", " ")))]
    assert len(joined(text.splitlines())) == 1
    # so is it in a quotation
    quoted = tokenize("> " + text.replace("\n", "\n> "))
    assert len(quoted) == 1
    assert [t.text for t in quoted[0] if not t.markup] == words(text)


OWN_LINES = [
    "Maria Lopez\nTom Hughes\nWei Zhang\nAcme Holdings",
    "oslo\nbergen\nparis",
    "Apple\nFoo",
    "Bank of America\nUnited Nations\nNew York",
    "Paris, France\nOslo, Norway\nRome, Italy",
    "Tim Cook (CEO)\nMary Roe (CFO)",
    "Attendees:\nTim Cook\nMary Roe",
    "John Roe\nChief Executive\nAcme Corporation\n12 Main Street\nSpringfield, IL 62701\nUSA",
    "Name,Employer\nMaria Lopez,Acme\nTom Hughes,Foo",
    "Kind regards,\nTom Hughes\nAcme Inc.",
    "From: Lopez, Maria\nSent: Monday\nTo: Hughes, Tom\nSubject: RE: Oslo",
    "O rose of May\nThe sun is gone\nAnd summer's lease is short",
    "2024-01-01 12:00 INFO Started server Oslo\n2024-01-01 12:01 ERROR failed to connect to Paris",
    "Jan 5 12:00:01 host sshd[12]: Accepted\nJan 5 12:00:02 host sshd[12]: Closed",
    "[12:00] Tim: hi\n[12:01] Mary: hello Tim",
    "for (int i = 0; i < n; ++i) {\n    x = y[i];\n}",
    "Line one with stop.\nLine two with stop.\nThird line here.",
    "Follow us on Twitter\nContact: Mary Roe, Oslo\nPhone: +47 123",
    "Title\n=====\nText here\n-----\nMore text",
]


@pytest.mark.parametrize("text", OWN_LINES)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\u2028", "\x0b"])
def test_lines_of_their_own_are_sentences(text, end):
    each = [" ".join(words(line)) for line in text.split("\n")]
    assert lines(text.replace("\n", end)) == each
    assert joined(text.split("\n")) == text.split("\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # a heading, or a line that runs on
        ("Annual results\nThe company sold more phones and fewer computers than\never before.",
         ["Annual results",
          "The company sold more phones and fewer computers than ever before ."]),
        ("ABOUT US\nAcme Holdings was founded in Oslo by Mary Roe and has since\ngrown.",
         ["ABOUT US", "Acme Holdings was founded in Oslo by Mary Roe and has since grown ."]),
        ("President Joe\nBiden met the leaders of France.",
         ["President Joe Biden met the leaders of France ."]),
        ("Politics\nBiden met the leaders of France.",
         ["Politics", "Biden met the leaders of France ."]),
        ("It was founded by the Treaty of Maastricht, in\n1992.\nHistory\nThen it was\na cure.",
         ["It was founded by the Treaty of Maastricht , in 1992 .", "History",
          "Then it was a cure ."]),
        # mail
        ("Hi Priya,\nI am in Oslo and see the people of Acme, and then go\nhome.\n\nBest,\nTim",
         ["Hi Priya ,", "I am in Oslo and see the people of Acme , and then go home .",
          "Best ,", "Tim"]),
        ("> Hi Mary\n>> Old text\nOk", ["«>» Hi Mary", "«>» «>» Old text", "Ok"]),
        ("a\n|\n\nb", ["a «|»", "b"]),
        ("a\n- ", ["a", "-"]),
        ("a\n|\n\n| b", ["a «|»", "«|» b"]),
        ("> one\n>\n> two", ["«>» one", "«>» «>» two"]),
        # cells and rows
        ("Name\tFirm\nMaria Lopez\tAcme\n", ["Name", "Firm", "Maria Lopez", "Acme"]),
        ("\tIndented\n\tLines", ["Indented", "Lines"]),
        ("| Team | Land |\n|---|:--:|\n| Ajax | Chad |",
         ["«|» Team", "«|» Land «|»", "«|» «---» «|» «:» «--» «:» «|» «|» Ajax", "«|» Chad «|»"]),
        ("Team | Land\n--- | ---\nAjax | Chad",
         ["Team", "«|» Land", "«---» «|» «---» Ajax", "«|» Chad"]),
        ("|Ajax|Chad|", ["«|» Ajax «|»", "Chad «|»"]),
        ("Home | News | a|b x || y", ["Home", "«|» News", "«|» a | b x | | y"]),
        ("Name    City\nAda Roe      Oslo", ["Name", "City", "Ada Roe", "Oslo"]),
        ("a    b the\nc d", ["a b the c d"]),
        # pages, headings, lists
        ("Ann\fBo\u2029Cy", ["Ann", "Bo", "Cy"]),
        ("# One\nText here\n## Two", ["«#» One", "Text here", "«##» Two"]),
        ("#1 is #Oslo # x", ["# 1 is #Oslo # x"]),
        ("• Oslo\n• Paris is nice and\n  has the Louvre\n• Rome",
         ["• Oslo", "• Paris is nice and has the Louvre", "• Rome"]),
        ("1) one\n2) two", ["1 ) one", "2 ) two"]),
    ],
)  # fmt: skip
def test_lines_cells_and_headings(text, expected):
    assert lines(text) == expected


def test_lines_as_told():
    text = "New\nYork. the\nend. Of it\n\n- a\nb"
    assert lines(text, lines="wrapped") == ["New York . the end .", "Of it", "- a b"]
    assert lines(text, lines="sentences") == ["New", "York . the", "end .", "Of it", "- a", "b"]
    for line in WRAPPED + OWN_LINES:
        assert len(tokenize(line, lines="sentences")) >= line.count("\n") + 1
    with pytest.raises(InputError, match='expected lines="auto", "sentences" or "wrapped", got 1'):
        tokenize("a", lines=1)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The Euro-\npean Commission met in Brussels on Monday.", ["Euro-\npean"]),
        ("The Euro\xad\npean Commission met in Brussels on Monday.", ["Euro\xad\npean"]),
        ("the inter\u2010\r\n  national committee in Geneva", ["inter\u2010\r\n  national"]),
        ("a Swiss-\nbased bank and a well-\nknown fund", ["Swiss-\nbased", "well-\nknown"]),
        ("a well-\nknow-\ning and lower-case line of prose", ["well-\nknow-\ning"]),
        ("The Rolls-\nRoyce plant in Derby will close, and it\nmoves to Spain", ["Rolls-\nRoyce"]),
        # no word is parted
        ("pre-\nand post-war prose that is long enough, and goes\non in lower case", []),
        ("He said -\nas we all know - that the line is long enough and\nruns on", []),
        ("the years 1990-\n91 were good for the company that is in Oslo\nand Rome", []),
        ("> the Euro-\n> pean Commission met in Brussels, and it was a\n> long day", []),
        ("Euro-\n\npean", []),
    ],
)  # fmt: skip
def test_a_word_hyphenated_at_a_line_end_is_one_token(text, tokens):
    assert [word for word in words(text) if "\n" in word] == tokens
    assert ("pre-" in words(text)) == text.startswith("pre-")
    assert not any("\n" in word for word in words(text, lines="sentences"))


@pytest.mark.parametrize(
    "text",
    ["Zh-\nInc.", "Rolls-\nInc. rose", "Zh-\nX. He left", "O'Brien\xad\n Inc.\u2019", "Zh-\nU.S."],
)
def test_the_dot_behind_a_hyphenated_word_is_not_lost(text):
    assert "".join("".join(words(text, lines="wrapped")).split()) == "".join(text.split())


@given(RULE_TEXT, RULE_TEXT)
@example("a   a", "a   a")  # no columns
def test_a_blank_line_parts_texts(text, other):
    gap = "\n\n"
    assert tokenize(text + gap + other)[: len(tokenize(text))] == tokenize(text)
    shift = len(text + gap)
    moved = [
        [t._replace(start=t.start + shift, end=t.end + shift) for t in s] for s in tokenize(other)
    ]
    assert tokenize(text + gap + other)[len(tokenize(text)) :] == moved


# --- Edges and markup ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("_Tim Cook_ left", "«_» Tim Cook «_» left"),
        ("**Oslo**, *Rome*.", "«**» Oslo «**» , «*» Rome «*» ."),
        ("(__x__) ~~y~~ `z` ***a***", "( «__» x «__» ) «~~» y «~~» «`» z «`» «***» a «***»"),
        ("**a _b_ c**", "«**» a «_» b «_» c «**»"),
        ("_see https://x.org_ now", "«_» see https://x.org «_» now"),
        ("snake_case 2*3 C* f_1 _x", "snake_case 2 * 3 C * f_1 _x"),
        ("* a * b", "* a * b"),
        ("*** a", "*** a"),
        ("``a'' 'b' ~c~", "`` a '' ' b ' ~ c ~"),
        ("_a\n\nb_", "_a b_"),
        ("We love Oslo!!!", "We love Oslo !!!"),
        ("[Tim Cook](https://x.org) left", "«[» Tim Cook «]» «(» «https://x.org» «)» left"),
        ("![Oslo](a.png)", "«![» Oslo «]» «(» «a.png» «)»"),
        ('[a](b "c d").', '«[» a «]» «(» «b» «"c d"» «)» .'),
        ("[T](https://x.org/T_(x))", "«[» T «]» «(» «https://x.org/T_(x)» «)»"),
        ("[a] (b) [c][d] [e](f", "[ a ] ( b ) [ c ] [ d ] [ e ] ( f"),
        ("(see https://x.org/Paris_(Texas)) now", "( see https://x.org/Paris_(Texas) ) now"),
        ("https://x.org/a(b)c) (www.a.org/(x)y).", "https://x.org/a(b)c ) ( www.a.org/(x)y ) ."),
        ("[x.org/a, https://x.org/?q[]=1&a[1]]", "[ x.org/a , https://x.org/?q[]=1&a[1] ]"),
        ("<https://c.org>. [https://d.org/e].", "< https://c.org > . [ https://d.org/e ] ."),
        ("«Oslo» {Oslo} Oslo—Paris", "« Oslo » { Oslo } Oslo — Paris"),
        ("The **Acme Inc.** _fell_. Yes", "The «**» Acme Inc. «**» «_» fell «_» . Yes"),
    ],
)  # fmt: skip
def test_edges_and_markup(text, expected):
    got = " ".join(lines(text)).replace("« ", "\0").replace(" »", "\1")
    assert got == expected.replace("« ", "\0").replace(" »", "\1")


HTML = [
    ("AT&amp;T sued O&#39;Brien.", ["AT&amp;T sued O&#39;Brien ."]),
    ("R&#38;D, O&#x27;Brien, O&#146;Brien", ["R&#38;D , O&#x27;Brien , O&#146;Brien"]),
    ("&quot;Yes&quot;&nbsp;he&#160;said &lt;b&gt;", ["&quot; Yes &quot; he said &lt; b &gt;"]),
    ("Z&uuml;rich &unknown; & x &; &#; &#0; &#xD800;",
     ["Z&uuml;rich & unknown ; & x & ; & # ; & # 0 ; & #xD800 ;"]),
    ("<b>Tim</b> Cook<br>Oslo", ["«<b>» Tim «</b>» Cook «<br>»", "Oslo"]),
    ("<ul><li>Ann<li>Bo</ul>", ["«<ul>» «<li>» Ann «<li>»", "Bo «</ul>»"]),
    ("<td>Ann</td><td>Bo</td>", ["«<td>» Ann «</td>» «<td>»", "Bo «</td>»"]),
    ("a <!-- x > y --> b<script>1<2;</script> c<style>p{}</STYLE>",
     ["a «<!-- x > y -->» b «<script>1<2;</script>» c «<style>p{}</STYLE>»"]),
    ('<a href="https://x.org">Tim\nCook</a>', None),
    ('<a title="x > y" b=\'"\'>Tim</a> <b c="x',
     ['«<a title="x > y" b=\'"\'>» Tim «</a>» < b c = " x']),
    ("<div>\r\n  <p>Ada Roe\n  of\nOslo</p>\n\n<b>Bo</b>",
     ["«<div>» «<p>» Ada Roe of Oslo «</p>»", "«<b>» Bo «</b>»"]),
    ("<p>Ada met\n    Bo.</p>\n\n  <p>Cy met\n    Dy.</p>",
     ["«<p>» Ada met Bo . «</p>»", "«<p>» Cy met Dy . «</p>»"]),
    ("<PRE>Ada\nBo</PRE> <pref>Cy\nDy</pref>",
     ["«<PRE>» Ada", "Bo «</PRE>»", "«<pref>» Cy Dy «</pref>»"]),
    ("AT&amp;T\nIBM", ["AT&amp;T", "IBM"]),
    ("1 < 2 <3 a<b", ["1 < 2 < 3 a < b"]),
    ("Mr.&nbsp;Roe left.<p>Then &hellip; He",
     ["Mr. Roe left . «<p>»", "Then &hellip;", "He"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), HTML)
def test_html(text, expected):
    assert expected is None or lines(text, html=True) == expected
    for sentence in tokenize(text, html=True):
        for token in sentence:
            assert text[token.start : token.end] == token.text
    for sentence in tokenize(text, html=True, lines="sentences"):
        assert "\n" not in text[sentence[0].start : sentence[-1].end].replace("<div>\r\n", "")
    plain = [t for s in tokenize(text) for t in s]
    assert "".join("".join(t.text.split()) for t in plain) == "".join(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "<" * 10**5, "&" * 10**5, "<a" * 10**5, "<!--" * 10**5, "<!-- " * 10**5, "<script>" * 10**5,
        "<style>" * 10**5 + "</style", "&amp;" * 10**5, "&#" * 10**5, "&#x" * 10**5, "<b>" * 10**5,
        "_a <b>" * 10**5, "_a " + "<b>" * 10**5 + "a_", "<p>\n" * 10**5, "</script" * 10**5,
        "[" + "<b>" * 10**5 + "](x)",
        "<a" + " y=\"<a x='\"'" * 10**5, "<b>" + " \n" * 10**5,
        "&nbsp;" * 10**5, "a&shy;" * 10**5, "&zwj; " * 10**5,
    ],
    ids=lambda text: f"{text[:8]!a}x{len(text)}",
)  # fmt: skip
def test_hostile_html_takes_linear_time(text):
    enough = 1e-5 * len(text) + 1
    assert quickest(lambda: tokenize(text, html=True), enough) < enough


@given(st.lists(st.sampled_from([*RULES, "<b>", "</p>", "&amp;", "&nbsp;", "&#8203;", "<!--"])))
def test_html_never_loses_a_character(pieces):
    text = "".join(pieces)
    done, missed = 0, ""
    for token in (token for sentence in tokenize(text, html=True) for token in sentence):
        assert done <= token.start < token.end and text[token.start : token.end] == token.text
        missed += text[done : token.start]
        done = token.end
    missed += text[done:]
    assert not missed.replace("&nbsp;", "").strip()


# --- Characters that are not seen -----------------------------------------------------------------

UNSEEN = "\u200b\u200e\u200f\u2060\ufeff\u202a\u2066\u2069\u200c\u061c"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The director, Ba\u200brack Obama", ["The", "director", ",", "Ba\u200brack", "Obama"]),
        ("\ufeffAngela left", ["\ufeffAngela", "left"]),
        ("\u200eOslo\u200e, a", ["\u200eOslo\u200e", ",", "a"]),
        ("Angela\xad Roe", ["Angela\xad", "Roe"]),
        ("x.\u200b \u200bY", ["x", ".\u200b", "\u200bY"]),
        ("(\u2067Oslo\u2069)", ["(\u2067", "Oslo\u2069", ")"]),
        ("Tim\u200d Cook\ufe0f", ["Tim\u200d", "Cook\ufe0f"]),
        ("👨\u200d👩\u200d👧 ❤\ufe0f 1\ufe0f\u20e3",
         ["👨\u200d👩\u200d👧", "❤\ufe0f", "1\ufe0f\u20e3"]),
        ("Ａｐｐｌｅ　Ｉｎｃ．　ｌｅｆｔ，　２，０００（ｘ）",
         ["Ａｐｐｌｅ", "Ｉｎｃ．", "ｌｅｆｔ", "，", "２，０００", "（", "ｘ", "）"]),
    ],
)  # fmt: skip
def test_unseen_characters_go_with_their_neighbour(text, expected):
    assert words(text) == expected


def test_unseen_characters_alone_are_markup():
    assert lines("x \u200b\ufeff y \u200e") == ["x «\u200b\ufeff» y «\u200e»"]
    assert lines("\u200b") == ["«\u200b»"]


@given(st.one_of(RULE_TEXT, st.sampled_from(WRAPPED + OWN_LINES)), st.data())
def test_unseen_characters_change_no_end(text, data):
    text = "".join(char for char in text if char not in UNSEEN + "\u200d\ufe0f\xad")
    pieces = []
    for char in text:
        pieces.append(char)
        if not char.isspace():
            pieces.append(data.draw(st.text(UNSEEN, max_size=2)))
    bare = [[t.text for t in s] for s in tokenize(text)]
    drop = dict.fromkeys(map(ord, UNSEEN))
    assert [[t.text.translate(drop) for t in s] for s in tokenize("".join(pieces))] == bare


def test_full_width_forms_are_cut_as_ascii():
    for text in ("Acme Inc. fell 1,000 to 3.5, said J. A. Roe (x@b.co).", "It's A-B; don't."):
        wide = "".join(chr(ord(c) + 0xFEE0) if "!" < c <= "~" and c != "?" else c for c in text)
        assert [t[1:] for s in tokenize(wide) for t in s] == [
            t[1:] for s in tokenize(text) for t in s
        ]


# --- Languages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("fr", "aujourd'hui l'Italie, L’Aquila et qu'il n'a",
         ["aujourd'hui l' Italie , L’ Aquila et qu' il n' a"]),
        ("fr", "presqu'île Val-d'Oise l' Italie", ["presqu'île Val-d'Oise l' Italie"]),
        ("fr", "Il a dit : « Oui. » Elle vient. M. Roe aussi.",
         ["Il a dit : « Oui . »", "Elle vient .", "M. Roe aussi ."]),
        ("it", "dell'Arte nell'anno un'idea po' L'Aquila",
         ["dell' Arte nell' anno un' idea po' L' Aquila"]),
        ("ca", "l'Hospitalet d'Aran", ["l' Hospitalet d' Aran"]),
        ("en", "L'Oréal D'Arcy dell'Arte", ["L'Oréal D'Arcy dell'Arte"]),
        ("de", "am 3. Oktober, der 2. Weltkrieg, im 19. Jahrhundert",
         ["am 3. Oktober , der 2. Weltkrieg , im 19. Jahrhundert"]),
        ("de", "Er kam 1990. Sie kam 12. Dann", ["Er kam 1990 .", "Sie kam 12 .", "Dann"]),
        ("de", "Das iPhone 17. Das Pixel 9.) Er kam am 3. (Am 4. Mai nicht.) Platz 5. Roe blieb.",
         ["Das iPhone 17 .", "Das Pixel 9 . )", "Er kam am 3 .", "( Am 4. Mai nicht . )",
          "Platz 5. Roe blieb ."]),
        ("pl", "Ma iPhone 17. Nie był 3. Maja.", ["Ma iPhone 17 .", "Nie był 3. Maja ."]),
        ("de", "z. B. Dr. Roe, d. h. Nr. 5 bzw. Herr Doe usw. Sie ging.",
         ["z. B. Dr. Roe , d. h. Nr. 5 bzw. Herr Doe usw.", "Sie ging ."]),
        ("de", "Er sagte: „Ja.“ Sie sagte: »Nein.« Gut.",
         ["Er sagte : „ Ja . “", "Sie sagte : » Nein . «", "Gut ."]),
        ("es", "¿Qué tal? ¡Hola! El Sr. Roe y Ud. van.",
         ["¿ Qué tal ?", "¡ Hola !", "El Sr. Roe y Ud. van ."]),
        ("pt", "O Sr. Roe foi à av. Central. Ela não.",
         ["O Sr. Roe foi à av. Central .", "Ela não ."]),
        ("it", "Il sig. Roe e la dott.ssa Doe nel sec. XX. Poi",
         ["Il sig. Roe e la dott.ssa Doe nel sec. XX .", "Poi"]),
        ("es", "desde el s. XX. Luego", ["desde el s. XX .", "Luego"]),
        ("ru", "на ул. Ленина, д. 5. Она", ["на ул. Ленина , д. 5 .", "Она"]),
        ("pl", "Inż. Roe nie. Dr. Doe.", ["Inż. Roe nie .", "Dr. Doe ."]),
        ("nl", "'s-Gravenhage en 't Hof, Jan's auto, dhr. Roe",
         ["'s-Gravenhage en 't Hof , Jan 's auto , dhr. Roe"]),
        ("pl", "W 1990 r. był tam. Dr. Roe i ul. Długa, np. Oslo itd.",
         ["W 1990 r. był tam .", "Dr. Roe i ul. Długa , np. Oslo itd."]),
        ("ru", "А. С. Пушкин жил на ул. Ленина в 1990 г. Он и т. д. Она",
         ["А. С. Пушкин жил на ул. Ленина в 1990 г.", "Он и т. д.", "Она"]),
        ("xx", "東京タワーへ行った。สวัสดี ភ្នំ 서울은",
         ["東 京 タワー へ 行 った 。", "ส วั ส ดี ភ្នំ 서울은"]),
    ],
)  # fmt: skip
def test_languages(language, text, expected):
    found = [
        " ".join(token.text for token in sentence) for sentence in tokenize(text, language=language)
    ]
    assert found == expected


@given(RULE_TEXT, st.sampled_from(LANGUAGES))
def test_no_language_loses_a_character(text, language):
    tokens = [token for sentence in tokenize(text, language=language) for token in sentence]
    assert "".join("".join(token.text.split()) for token in tokens) == "".join(text.split())
    assert all(text[token.start : token.end] == token.text for token in tokens)


def test_an_unknown_language_is_refused():
    with pytest.raises(InputError, match="expected a language among en, de, .*, xx, got 'tlh'"):
        tokenize("a", language="tlh")


def test_the_rules_are_data():
    for language in LANGUAGES:
        data = json.loads(json.dumps(rules_of(language)))
        assert data.keys() == {"classes", "words", "entities", "ordinals"}
        copied = Rules(**data)
        text = "l'Arte am 3. Mai. Mr. Roe\u200b left, _x_ &amp; co."
        assert copied.tokenize(text, Token) == tokenize(text, language=language)
    with pytest.raises(InputError, match="expected a known name of a rule, got colour"):
        Rules({"colour": []}, {}, {}, ordinals=False)
    with pytest.raises(InputError, match="expected a range of code points, got 5 to 4"):
        Rules({"space": [(5, 4)]}, {}, {}, ordinals=False)


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_holds_what_a_regular_expression_takes_it_for(name):
    inside = CLASSES[name]
    listed = {point for first, last in ranges(inside) for point in range(first, last + 1)}
    points = "".join(map(chr, range(sys.maxunicode + 1)))
    assert listed == set(map(ord, re.findall(f"[{inside}]", points)))


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


@given(st.lists(st.text(st.sampled_from("aB. -,\t|1"), max_size=30), min_size=1), st.booleans())
def test_joined_lines_are_those_that_a_sentence_runs_across(some, html):
    together = joined(some, html=html)
    assert "\n".join(together) == "\n".join(some)
    text, at = "\n".join(some), -1
    ranges = [(row[0].start, row[-1].end) for row in tokenize(text, html=html)]
    line_ends = {i for i, char in enumerate(text) if char == "\n"}
    across = {i for i in line_ends if any(begin < i < end for begin, end in ranges)}
    for part in together[:-1]:
        at += len(part) + 1
        line_ends.remove(at)
    assert line_ends == across
