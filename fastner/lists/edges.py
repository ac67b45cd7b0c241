"""What is mended at the edges of entities in raw text, by language.

A model learnt from text that was cut by other hands, so in raw text an entity of its may begin or
end a word too early or too late. Compiled code (`edges.hpp`) mends it by these lists:

- `trimmed`: a word of nothing but these characters goes at either end, but for a bracket whose
  partner stays inside. An entity of which nothing is left is none.
- `invisible`: the same, and these characters are left out at the ends of an entity's text.
- `possessives`: an entity that ends in one of these but for its 's or ', which stands apart behind
  it, takes that in. A person does only as a word alone that is not among `given`, names of people.
- `titles`: goes at the start of a person's name; `greetings`: where a sentence begins, also from a
  place, for which models take names they do not know.
- `degrees`: goes at either end behind a comma.

A language without lists of its own has the characters alone.
"""

from typing import NamedTuple

BRACKETS = tuple("() [] {} «» ‹› “” ‘’ „“ 「」 『』 （） 【】 《》".split())
TRIMMED = "!?_*~,.…'\"`´" + "".join(BRACKETS) + "，、。！？；؟،" + "¡¿"
INVISIBLE = (  # controls, soft hyphen, zero-width characters, direction marks, byte-order mark
    "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x61C, *range(0x200B, 0x2010))))
    + "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFE0E, 0xFE0F, 0xFEFF)))
)
PEOPLE = frozenset("PER PERS PERSON".split())  # what models call the label of persons
PLACES = frozenset("LOC LOCATION GPE PLACE".split())


class Lists(NamedTuple):
    """The lists of a language; words are ASCII, of at most 24 characters."""

    possessives: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    titles: frozenset[str] = frozenset()
    greetings: frozenset[str] = frozenset()
    degrees: frozenset[str] = frozenset()
    people: frozenset[str] = PEOPLE
    places: frozenset[str] = PLACES
    trimmed: str = TRIMMED
    invisible: str = INVISIBLE
    brackets: tuple[str, ...] = BRACKETS


_POSSESSIVES = """
    Albertson's Annabel's Annie's Applebee's Arby's Barclay's Barney's Ben's Bennigan's Bertucci's
    Bloomingdale's Bojangles' Braum's Burdine's Butlin's Cadbury's Callender's Campbell's Carrabba's
    Casey's Chico's Chili's Christie's Claire's Colman's Culver's Daniel's Debenham's Denny's
    Dillard's Domino's Dunkin' Fazoli's Filene's Foley's Fortnum's Friendly's Gimbel's Hamley's
    Hardee's Harrod's Hellmann's Hershey's Jerry's Joe's John's Kellogg's Kinko's Kohl's Ladbroke's
    Lay's Levi's Littlewood's Lloyd's Loehmann's Lord's Lowe's Luby's Macy's Maggiano's McDonald's
    Menard's Moe's Moody's Morrison's Mott's Nando's Nathan's Peet's Pontin's Popeye's
    Quizno's Reese's Ripley's Sainsbury's Sardi's Schlotzsky's Scholl's Selfridge's Shakey's
    Shoney's Smucker's Sotheby's Stouffer's Tattersall's Tiffany's Tussaud's Walgreen's Wegman's
    Wendy's Woolworth's Wrigley's Young's Zaxby's
"""
_GIVEN = "Annie's Ben's Casey's Claire's Daniel's Jerry's Joe's John's Lord's Nathan's Young's"
_TITLES = """
    Mr. Mrs. Ms. Messrs. Dr. Drs. Prof. Sen. Rep. Gov. Gen. Col. Lt. Capt. Sgt. Maj. Rev. Hon. Fr.
    Mr Mrs Ms Dr Prof
"""
_DEGREES = """
    B.A. B.S. B.Sc. M.A. M.S. M.Sc. M.B.A. M.D. M.P.H. Ph.D. D.Phil. D.D.S. D.V.M. D.O. J.D. LL.B.
    LL.M. Ed.D. Psy.D. Pharm.D. R.D. R.N. C.P.A. Esq. PhD BSc MSc MBA DPhil LLB LLM PharmD
"""
_GREETINGS = "Hi Hello Hey Dear Greetings"
_ENGLISH = Lists(
    possessives=frozenset(_POSSESSIVES.split()),
    given=frozenset(_GIVEN.split()),
    titles=frozenset(_TITLES.split()),
    greetings=frozenset(_GREETINGS.split()),
    degrees=frozenset(_DEGREES.split()),
)


def lists_of(language: str) -> Lists:
    """The lists of a language, by its code."""
    return _ENGLISH if language == "en" else Lists()
