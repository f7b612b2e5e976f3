from __future__ import annotations

from dataclasses import dataclass

import pytest

from g2u.engine.prefix_cache import PrefixCache, PrefixKey


@dataclass(frozen=True)
class Sized:
    pictures: int
    nbytes: int


def key(names: str) -> PrefixKey:
    return tuple(names)


def filled(limit: int, *puts: tuple[str, int]) -> PrefixCache:
    cache = PrefixCache(limit)
    for names, nbytes in puts:
        cache.put(key(names), Sized(len(names), nbytes))
    return cache


def kept(cache: PrefixCache, *names: str) -> list[str]:
    return [name for name in names if cache.longest(key(name))[0] == key(name)]


@pytest.mark.parametrize(
    ("asked", "found"),
    [("a", "a"), ("ab", "ab"), ("abc", "ab"), ("ac", "a"), ("b", ""), ("ba", "")],
)
def test_longest_finds_the_nearest_ancestor(asked: str, found: str) -> None:
    cache = filled(100, ("a", 10), ("ab", 10))
    beginning, prefix = cache.longest(key(asked))
    assert beginning == key(found)
    assert (prefix.pictures if prefix else 0) == len(found)


@pytest.mark.parametrize(
    ("puts", "names", "nbytes"),
    [
        ([("a", 40), ("b", 40)], ["a", "b"], 80),
        ([("a", 40), ("b", 40), ("c", 40)], ["b", "c"], 80),
        ([("a", 40), ("ab", 40), ("c", 40)], ["a", "c"], 80),  # a leaf goes before its parent, however old that is
        ([("a", 40), ("a", 40), ("a", 40)], ["a"], 40),
        ([("a", 101)], [], 0),
        ([("a", 40), ("b", 101)], ["a"], 40),  # what can never fit evicts nothing
        ([("a", 60), ("b", 40), ("ab", 60)], ["a", "b"], 100),  # with its ancestor it can never fit
        ([("ab", 10)], [], 0),  # would keep an uncounted parent alive
    ],
)
def test_budget_is_kept(puts: list[tuple[str, int]], names: list[str], nbytes: int) -> None:
    cache = filled(100, *puts)
    assert (kept(cache, "a", "b", "c", "ab"), cache.nbytes, len(cache)) == (names, nbytes, len(names))


def test_use_protects_from_eviction() -> None:
    cache = filled(100, ("a", 40), ("b", 40))
    cache.longest(key("a"))
    cache.put(key("c"), Sized(1, 40))
    assert kept(cache, "a", "b", "c") == ["a", "c"]


def test_using_a_descendant_protects_its_ancestors() -> None:
    cache = filled(100, ("a", 30), ("ab", 30), ("c", 30))
    cache.longest(key("ab"))
    cache.put(key("d"), Sized(1, 30))
    assert kept(cache, "a", "ab", "c", "d") == ["a", "ab", "d"]


def test_no_bytes_keep_nothing_and_clear_forgets() -> None:
    assert len(filled(0, ("a", 1), ("b", 0))) == 0, "one that counts no bytes is none to keep, either"
    cache = filled(100, ("a", 10), ("ab", 10))
    cache.clear()
    assert (len(cache), cache.nbytes, cache.longest(key("ab"))) == (0, 0, ((), None))
