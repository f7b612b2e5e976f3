"""Words: one token and one meaning each."""

import itertools

from g2u.models.mini import answers as mini
from g2u.models.mini.load import load
from g2u.world.materials.atlas import CONCEPTS
from g2u.world.materials.words import (
    ANSWERS,
    COLOUR,
    COLOURS,
    CONCEPT,
    LETTERS,
    NUMBERS,
    SHAPE,
    SHAPES,
    SYNONYMS,
    WORDS,
    WRITTEN,
    indices,
)
from g2u.world.training.tokenizer import known_words, train_tokenizer


def test_no_word_is_there_twice() -> None:
    assert len(set(WORDS)) == len(WORDS)


def test_every_word_is_a_single_token_that_says_it() -> None:
    tokenizer = train_tokenizer()
    for word in WORDS:
        ids = tokenizer.encode(f" {word}")
        assert len(ids) == 1 and tokenizer.decode(ids) == f" {word}"


def test_colours_can_be_told_apart_without_colour() -> None:
    luma = [0.299 * red + 0.587 * green + 0.114 * blue for red, green, blue in COLOURS.values()]
    assert min(abs(one - other) for one, other in itertools.combinations(luma, 2)) >= 5 / 255


def test_synonyms_stand_for_words_that_pictures_show() -> None:
    assert set(SYNONYMS.values()) <= {*COLOURS, *SHAPES}
    assert len(set(SYNONYMS.values())) == len(SYNONYMS), "a word has one synonym at most"


def test_indices_are_places_in_the_words() -> None:
    chosen = ("zebra", "red", "no", "42", "STOP")
    assert [WORDS[index] for index in indices(chosen)] == list(chosen)
    for first, words in ((COLOUR, tuple(COLOURS)), (SHAPE, SHAPES), (CONCEPT, CONCEPTS)):
        assert WORDS[first : first + len(words)] == words


def test_written_words_can_be_written_and_read_apart() -> None:
    assert all(word.isalpha() and word.isupper() and 3 <= len(word) <= 5 for word in WRITTEN)
    assert list(map(int, NUMBERS)) == list(range(100))
    assert not set(LETTERS) & set(WRITTEN)


def test_mini_answers_with_the_words_of_the_world() -> None:
    assert mini.ANSWERS == ANSWERS
    assert {"red", "CAFE", "7", "B", "middle", "yes"} < ANSWERS and not {"disc", "deblur", "retry"} & ANSWERS
    shipped = load(device="cpu")
    assert {shipped.count_tokens(word) for word in ANSWERS} == {2}  # itself and the end


def test_all_words_are_known_to_mini_and_those_of_held_out_wordings_alone_are_not() -> None:
    known = known_words()
    assert {word.lower() for word in WORDS} <= set(known)
    assert {"what", "continues", "belongs", "lead"} <= set(known)
    assert known == sorted(set(known)) and not {"subject", "relation", "reach"} & set(known)
