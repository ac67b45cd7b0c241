"""The golden cases of an export: made-up sentences, and what the model itself makes of them."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fastner.bundle import Bundle
from fastner.engine.onnx import OnnxEngine
from fastner.lists.gazetteers import Gazetteer, Matcher
from fastner.tags import TagScheme
from fastner.vocab import RowBatch

# Golden paths lead the second best by this: rounding on no platform changes them. In 8 bits the
# last digit of an activation decides between two of 256 steps, and platforms differ in it.
MARGINS = {"float32": 1e-3, "int8": 0.1}
EMISSION_CASES = 60  # golden cases that hold emissions, none longer than 40 tokens

# Made up here, not taken from any corpus. Every code point is assigned since Unicode 14 at the
# latest, so that all runtimes classify it alike.
_NAMES = {
    "PER": """Ada|Grace Hopper|Alan Turing|Noor Inayat|Edsger W. Dijkstra|Barbara Liskov|
        María-José Ñúñez|Øystein Ågård|Jean-Luc D'Arcy|Zoë O'Brien|J. R. Whitfield|Wanjirũ|
        Владимир Орлов|Ελένη Παπαδοπούλου|李小明|محمد علي|दीपक|İpek Işık|ĐẶNG VĂN LÂM""",
    "LOC": """Lisbon|Oslo|New Zealand|Rio de Janeiro|Kyoto|Saint-Étienne|São Tomé|U.S.|Łódź|
        ΑΘΗΝΑΣ|Αθήνας|İstanbul|DÜSSELDORF|Gießen|GIESSEN|Straße|Москва|東京|القاهرة|Āgra|N'Djamena""",
    "ORG": """Acme|Globex Corp.|Initech|Umbrella Labs|AT&T|Österreichische Post AG|Banco Ficticio|
        3M|eBay|iRobot|U.N.|Ministry of Silly Walks|株式会社架空|ООО Ромашка|F.C. Nowhere""",
    "MISC": """Brazilian|French|Grand Prix|World Cup|BRENT-X|Perl|Old Norse|Euro 2096|
        ǅungla|ﬁnnish""",
    "NUM": "7|42|1996|2-1|1,234.56|10:30|50%|$12|3rd|٣٤٥|१२३|４２|𝟙𝟚|1٢3|x86|B2B|½|²|Ⅷ|2024-01-31",
}
_TEMPLATES = """{PER} moved from {LOC} to {LOC} in {NUM} .
{ORG} hired {PER} and {PER} , the {MISC} engineers .
The office of {ORG} in {LOC} opens at {NUM} .
{LOC} {NUM} {LOC} {NUM}
{PER} ( {LOC} ) beat {PER} ( {MISC} ) {NUM} {NUM}
it rained all day
" We will never sell {ORG} , " said {PER} .
{NUM} people left {LOC} for {LOC} , {ORG} said on Tuesday .
SHARES OF {ORG} FELL {NUM} IN {LOC}
{MISC} officials met {PER} of {ORG} near {LOC} .
{PER}
{LOC} , {NUM}
who is {PER} ?
The {MISC} {NUM} was held in {LOC} ; {PER} won ."""

_ZOO = """😀 👍🏽 👩‍👩‍👧‍👦 🇵🇹 #️⃣ emoji in Lisbon ❤️
東京 に 住む 李小明 さん
北京 ， 2008 年 ， 奥运会
محمد علي يعيش في القاهرة .
שלום ירושלים \u200fRTL\u200e mark
é é É É å ñ̃ ñ Z̷̧̢a̸͝l̷g̶o̷
İ i̇ I ı ISTANBUL İSTANBUL ıstanbul ß ẞ ſ ſs ŉ ǰ ΐ
ΟΔΥΣΣΕΥΣ ΑΣ Σ ΣΑΣ ΑΣ. ΑΣ-Β Α.Σ Σ. 1Σ ΑΣ́ ΑΣ\u00adΒ ᾼ ᾳ
ǅ ǆ Ǆ ǅungla ᾈ ﬀ ﬁ ﬅ ŉapostrophe
٠١٢٣ ०१२ １２３ 𝟘𝟙𝟚 ١٩٩٦ 19٩6 abc१ ߀߁ ፩ 一 ² ½ Ⅷ ⅷ ① Ⓐ ⓐ
a1 1a 12a a12 1-2 -1- 11-1 A1 a-B AbC aBC ABc Ab- -Ab -ab -AB
ª º ʰ ᴀ ͅ ͅa Aͅ ﷺ ㎒ ℵ ℝ ⅆ ℃
a\u200db a\u200c a\u200bb \ufeffword soft\u00adhyphen \u00a0 x\u00a0y \u3000
tab\tword line\u2028sep nel\u0085 cr\rword nul\u0000word \u0000 \u001f \u007f
_ - -- ... … ’ “ ” « » ¿ § © ™ ¬ \\ / // 'n' 's n't
<b> & &amp; {} [] "quote" \\u0041 %20 $0
𐐀𐐨 𐐨 𝒜𝓃𝓃𝒶 𝔘𝔫𝔦 𞤀𞤢 𐓀 ꭰ Ꭰ ა Ა Ⴀ ⴀ
http://example.org/a?b=c user@example.org @handle #tag www.example.org""".split("\n")

# What a word may be read from: other normal forms, invisible characters, entities, line ends (⏎).
_READ = (
    """Zürich Zu\u0308rich ZU\u0308RICH Québec Que\u0301bec İstanbul I\u0307stanbul São
Ło\u0301dz\u0301 Nguye\u0302\u0303n Ho\u0300 Đa\u0300
Øre ÆON Æon œuvre STRAẞE Straße Þór ðat ıraq Əli Đà ĦAL Ŧa naïve RÉSUMÉ à la café ĳ ŉ
Ba\u200brack \ufeffAngela An\u00adgela \u2060word\u2060 \u200eRTL\u200f a\ufe0fb a\U000e0100b
\u034fx \u061cy \u00ad \u200b\u200d \ufe0f \u00a0\u200b \u00a0x\u3000 \u2009y \u2002 a\u00a0b \x85z
Ｐａｒｉｓ ＡＴ＆Ｔ ｶﾞｽ ￥５ ﾡ ￣ ﬁnance ﬀ oﬃce ﬆ 𝐏𝐚𝐫𝐢𝐬 𝓞slo 𝟙𝟗𝟗𝟞 ℂ ℎ ℝome ℓ ℳ ℴ ⅆ ™ №
’s ‘ ’ “ ” „ ‟ « » ‹ › ′ ″ ´ ʼ O’Neill rock\u2011n\u2010roll 1996\u201397 \u2013 — ― − … a…b ⁄
AT&amp;T O&#39;Brien O&#x27;Brien &eacute;t&eacute; Z&uuml;rich &shy; a&shy;b &nbsp;x &#0; &foo;
&#xD800; &#1114112; &#9999999; &#55357;&#56832; &amp;amp; &; &a &amp &lt;b&gt; &thetasym; &there4;
&AMP; &Eacute; &#xe9; a;b&c &#X41;&#00065; &euro; &sup2;
Euro-⏎pean well-⏎known Ada-\r⏎Lovelace co\u2010\u2028op su\u00ad⏎per a- b -⏎x x-⏎ a-⏎-⏎b
a\u00a0-⏎b New-\x0cYork a-⏎b-⏎c Zu\u0308-⏎rich
Ё ё й Й Королёв ΐ ά Ά ῼ אָב שׁ مُحَمَّد آب क़ 각 \u1100\u1161\u11a8 \u212b A\u030a ẛ\u0323 q\u0323\u0307
\u0301 \u0301\u0316 a\u0316\u0301""".replace("\n", "\0")
    .replace("⏎", "\n")
    .split("\0")
)


def golden_cases(bundle: Bundle, recurrences: str) -> list[dict[str, Any]]:
    """The lines of golden.jsonl, as docs/onnx.md describes them.

    They come from fastner's own index, the bundle's own graphs and `CRF.nbest`: nothing of the
    clients that check them has a part in it. A sentence whose two best paths lie within the margin
    of these recurrences is left out: rounding may decide it.
    """
    cases: list[dict[str, Any]] = []
    with_emissions = 0
    for case, emissions, lead in _cases(bundle, quantized=recurrences == "int8"):
        if lead < MARGINS[recurrences]:
            continue
        length = len(case["tokens"])
        if with_emissions < EMISSION_CASES and length <= 40 and len(cases) % 5 == 0:
            with_emissions += 1
            case["emissions"] = emissions
        cases.append(case)
    return cases


def _cases(
    bundle: Bundle, *, quantized: bool
) -> Iterator[tuple[dict[str, Any], list[list[float]], float]]:
    """Each sentence's case, its emissions [T, K], and by how much its path leads the second."""
    manifest = bundle.manifest
    vocabulary, crf = bundle.vocabulary(), bundle.crf()
    engine = OnnxEngine(bundle, quantized=quantized)
    scheme = TagScheme(manifest.scheme)
    gazetteers = bundle.gazetteers()
    lists = Matcher(gazetteers) if gazetteers else None
    sentences = golden_sentences(bundle.words(), manifest.max_characters)
    for sentence in [*listed_sentences(gazetteers), *sentences]:
        encoded = vocabulary.encode_words(sentence)
        rows = np.empty((len(sentence), engine.width), np.float32)
        engine.encode(sentence, rows)
        lengths = np.array([len(sentence)], np.int32)
        batch = RowBatch(rows, np.arange(len(sentence), dtype=np.int32), lengths, [])
        places = None if lists is None else lists.places([sentence])
        emissions = np.ascontiguousarray(engine.emissions(batch, places))
        paths, scores = crf.nbest(emissions, lengths, 2)
        names = [manifest.tags[tag_id] for tag_id in paths[0, 0]]
        spelled = zip(encoded.characters.tolist(), encoded.character_lengths, strict=True)
        case = {
            "tokens": list(sentence),
            "word_ids": vocabulary.form_ids(sentence).tolist(),
            "case_ids": encoded.cases.tolist(),
            "characters": [row[:length] for row, length in spelled],
            **({} if places is None else {"places": places.tolist()}),
            "tag_ids": paths[0, 0].tolist(),
            "tags": TagScheme.IOB2.tags(scheme.spans(names), len(names)),
            "score": round(float(scores[0, 0]), 6),
        }
        rounded = [[round(float(x), 6) for x in row] for row in emissions[0]]
        yield case, rounded, float(scores[0, 0] - scores[0, 1])


def listed_sentences(
    gazetteers: Sequence[Gazetteer], *, count: int = 150, seed: int = 0
) -> list[list[str]]:
    """Sentences of phrases of these lists, whole and in part, with other words or none between."""
    rng = random.Random(seed)
    sentences = []
    for _ in range(count if gazetteers else 0):
        words: list[str] = []
        for _ in range(rng.randint(1, 6)):
            phrase = rng.choice(rng.choice(gazetteers).phrases).split("\t")
            words += rng.choice(([], [], ["of"], ["the"], [","]))
            words += phrase if rng.random() < 0.7 else phrase[: rng.randint(1, len(phrase))]
        sentences.append(words)
    return sentences


def golden_sentences(
    words: Sequence[str], max_characters: int, *, seed: int = 0
) -> list[list[str]]:
    """About 650 sentences of 1 to 1,100 tokens, the same for the same arguments.

    words: the model's vocabulary, of which some sentences are made in changed writings, some of
    them those that a reading undoes;
    max_characters: words around this length and far above it occur.
    """
    rng = random.Random(seed)
    names = {label: [n.strip() for n in text.split("|")] for label, text in _NAMES.items()}
    templates = _TEMPLATES.split("\n")
    sentences = [zoo.split(" ") for zoo in (*_ZOO, *_READ)]
    zoo = sorted({word for sentence in sentences for word in sentence})
    sentences += [[word] for word in zoo]
    sentences += [_long_words(max_characters, zoo)]
    for _ in range(300):
        sentences.append(_filled(rng, rng.choice(templates), names))
    for _ in range(60):
        sentences.append([rng.choice(zoo) for _ in range(rng.randint(2, 12))])
    for _ in range(80):
        count = rng.randint(1, 25) if words else 0
        sentences.append([_written(rng, rng.choice(words)) for _ in range(count)] or ["word"])
    marked = [word for word in words if not word.isascii()]
    for changed in range(80):
        pool = marked if marked and changed % 2 else words
        count = rng.randint(1, 25) if words else 0
        sentences.append([_rewritten(rng, rng.choice(pool)) for _ in range(count)] or ["word"])
    for length in (300, 513, 1100):  # past one and two of the decoder's blocks
        long: list[str] = []
        while len(long) < length:
            long += _filled(rng, rng.choice(templates), names)
        sentences.append(long[:length])
    return sentences


def _filled(rng: random.Random, template: str, names: dict[str, list[str]]) -> list[str]:
    words = []
    for piece in template.split():
        label = piece.strip("{}")
        words += rng.choice(names[label]).split() if piece != label else [piece]
    return words


def _written(rng: random.Random, word: str) -> str:
    """The word as it is, or in another case, or with another digit in it."""
    changes: list[Callable[[str], str]] = [
        str,
        str,
        str.lower,
        str.upper,
        str.title,
        str.swapcase,
    ]
    return rng.choice(changes)(word).replace("0", rng.choice("0149")) or word


def _rewritten(rng: random.Random, word: str) -> str:
    """The word in another writing of the same, or with a mark on it or a line end in it."""
    at = rng.randint(0, len(word))
    changes: list[Callable[[str], str]] = [
        lambda word: unicodedata.normalize("NFD", word),
        lambda word: word[:at] + rng.choice("\u00ad\u200b\u2060\ufeff\ufe0f") + word[at:],
        lambda word: word[:at] + rng.choice(("-\n", "- \r\n", "\u00ad\n")) + word[at:],
        lambda word: word[:at] + rng.choice("\u0301\u0308\u0327") + word[at:],
        lambda word: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in word),
        lambda word: word.replace("'", "\u2019").replace("-", "\u2011"),
        lambda word: word.replace(word[0], f"&#{ord(word[0])};", 1),
        str.upper,
    ]
    return rng.choice(changes)(word)


def _long_words(most: int, zoo: Sequence[str]) -> list[str]:
    """Words of nearly, exactly and far more than `most` code points, also beyond the BMP."""
    letters = "abcdefghij" * (most // 10 + 2)
    head = [letters[:size] for size in (most - 1, most, most + 1, most + 2) if size > 0]
    astral = "".join(chr(0x1F600 + i % 64) for i in range(2 * most + 3))
    return [
        *head,
        letters.upper() * 40,
        "é" * 256,
        "e\u0301" * 140,
        astral,
        "".join(zoo),
        "9" * (most + 1),
        "Ω" * 3 * most,
    ]
