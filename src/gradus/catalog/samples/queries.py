"""Queries as engineers type them, in English and Japanese, in words, sizes and pictures."""

import string
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradus.catalog.samples.kinds import KINDS
from gradus.catalog.samples.parts import FINISHES_JA, MATERIALS, Part
from gradus.catalog.samples.relevance import Wanted
from gradus.catalog.samples.sheet import number
from gradus.catalog.samples.titles import grade
from gradus.catalog.samples.wording import full_width, half_width, misspell

PICTURE_EVERY = 15  # one query in fifteen comes with a picture
JAPANESE = 0.5
NOVEL = 0.2
REPEATS = 20  # draws of words already used that are thrown away, per query

_FORMATTER = string.Formatter()
# A bearing's designation stands for its three dimensions.
_STANDS_FOR = {"code": ("bore", "diameter", "width")}


@dataclass(frozen=True)
class Query:
    """A query: its words (may be empty), the part it pictures (index, or -1) and what it asks for."""

    text: str
    picture: int
    dimensions_shown: bool
    wanted: Wanted


# The words around sizes.
_JAPANESE_WORDS = {
    "bore": "穴径",
    "dia": "径",
    "long": "長さ",
    "module": "モジュール",
    "wire": "線径",
    "od": "外径",
    "id": "内径",
}


def build_queries(parts: Sequence[Part], count: int, rng: np.random.Generator) -> list[Query]:
    """Return `count` queries, each meant for a random part; no two have the same words.

    Every `PICTURE_EVERY`-th query is a picture, every second of those with words. Words are exact (all
    attributes), partial (one or two), a size alone, or misspelt.
    """
    queries: list[Query] = []
    seen: set[str] = set()
    repeats = 0
    while len(queries) < count:
        index = int(rng.integers(len(parts)))
        place = len(queries)
        if place % PICTURE_EVERY == PICTURE_EVERY - 1:
            with_words = (place // PICTURE_EVERY) % 2 == 1
            queries.append(_picture_query(parts[index], index, with_words, rng))
            continue
        query = _word_query(parts[index], rng)
        # A tiny catalogue may run out of new words; its queries then repeat.
        if query.text in seen and (repeats := repeats + 1) < REPEATS * count:
            continue
        seen.add(query.text)
        queries.append(query)
    return queries


def split_queries(queries: Sequence[Query], rng: np.random.Generator) -> np.ndarray:
    """Return which queries are novel: a share `NOVEL`, all queries for the same thing on the same side.

    Returns:
        Boolean array, one entry per query.
    """
    keys = [_key(query.wanted) for query in queries]
    novel = {key: bool(rng.random() < NOVEL) for key in sorted(set(keys))}
    return np.array([novel[key] for key in keys])


def _key(wanted: Wanted) -> str:
    sizes = sorted(wanted.sizes.items())
    return (
        f"{wanted.kind}|{wanted.material}|{wanted.material_group}|{wanted.finish}|{wanted.standard}|{sizes}"
    )


def _sizes(part: Part, phrase: str) -> dict[str, float]:
    """Return the dimensions that `phrase` names."""
    names = [name for _, name, _, _ in _FORMATTER.parse(phrase) if name]
    return {real: part.dims[real] for name in names for real in _STANDS_FOR.get(name, (name,))}


def _spell(part: Part, phrase: str, japanese: bool) -> str:
    if japanese:
        phrase = " ".join(
            _JAPANESE_WORDS.get(word, word) for word in phrase.replace("} hole", "}穴").split(" ")
        )
    return phrase.format(**{name: number(value) for name, value in part.dims.items()})


def _material(
    part: Part, wanted: Wanted, japanese: bool, exact: bool, rng: np.random.Generator
) -> tuple[str, Wanted]:
    """Return words for the material, and `wanted` with what they ask for."""
    material = MATERIALS[part.material]
    if exact or rng.random() < 0.5:
        word = grade(part) if grade(part) and rng.random() < 0.4 else part.material
        return word, replace(wanted, material=part.material)
    return (material.ja if japanese else material.en), replace(wanted, material_group=material.group)


def _finish(part: Part, japanese: bool) -> str:
    return FINISHES_JA[part.finish] if japanese else part.finish


def _name(part: Part, japanese: bool, rng: np.random.Generator) -> str:
    names = KINDS[part.kind].ja if japanese else KINDS[part.kind].en
    return names[int(rng.integers(len(names)))]


def _word_query(part: Part, rng: np.random.Generator) -> Query:
    japanese = bool(rng.random() < JAPANESE)
    style = rng.choice(["exact", "partial", "size", "misspelt"], p=[0.25, 0.4, 0.2, 0.15])
    phrases = KINDS[part.kind].phrases
    name = _name(part, japanese, rng)
    words, wanted = [name], Wanted(part.kind)
    if style == "exact":
        words += [part.standard, _spell(part, phrases[0], japanese)]
        wanted = replace(wanted, standard=part.standard, sizes=_sizes(part, phrases[0]))
        word, wanted = _material(part, wanted, japanese, exact=True, rng=rng)
        words.append(word)
        if rng.random() < 0.3:
            # The standard says what the part is; an expert leaves the name out.
            words = words[1:]
        if part.finish != "plain" and rng.random() < 0.5:
            words.append(_finish(part, japanese))
            wanted = replace(wanted, finish=part.finish)
    else:
        if style == "size" or rng.random() < 0.75:
            phrase = phrases[int(rng.integers(len(phrases)))]
            words.append(_spell(part, phrase, japanese))
            wanted = replace(wanted, sizes=_sizes(part, phrase))
        if style != "size" and rng.random() < 0.6:
            word, wanted = _material(part, wanted, japanese, exact=False, rng=rng)
            words.append(word)
        if style != "size" and part.finish != "plain" and rng.random() < 0.35:
            words.append(_finish(part, japanese))
            wanted = replace(wanted, finish=part.finish)
        if rng.random() < 0.5:
            words = [words[i] for i in rng.permutation(len(words))]
    text = " ".join(words)
    if not japanese and rng.random() < 0.7:
        text = text.lower()
    if style == "misspelt":
        text = misspell(text, rng)
    if japanese:
        text = _type_japanese(text, rng)
    return Query(text, -1, False, wanted)


def _type_japanese(text: str, rng: np.random.Generator) -> str:
    """Mix full-width and half-width forms the way input methods leave them."""
    form = rng.random()
    if form < 0.15:
        return full_width(text)
    if form < 0.25:
        return half_width(text)
    if form < 0.35:
        return text.replace(" ", "\u3000")
    return text


def _picture_query(part: Part, index: int, with_words: bool, rng: np.random.Generator) -> Query:
    """Return a query by picture: sizes are asked for where the picture shows dimensions."""
    shown = bool(rng.random() < 0.7)
    wanted = Wanted(part.kind, sizes=_sizes(part, KINDS[part.kind].phrases[0]) if shown else {})
    text = ""
    if with_words:
        japanese = bool(rng.random() < JAPANESE)
        word, wanted = _material(part, wanted, japanese, exact=False, rng=rng)
        text = f"これと同じもの {word}" if japanese else f"same in {word}"
    return Query(text, index, shown, wanted)
