"""Writing, read back from the pixels by comparing them with the letters of the fonts."""

import torch

from g2u.world.materials.atlas import FONTS, GLYPHS, glyphs
from g2u.world.materials.layers import SIZE
from g2u.world.materials.words import NUMBERS, WORDS, WRITTEN, indices
from g2u.world.pictures.writing import Writing, ask_writing, paint_writing, sample_writing
from g2u.world.questions.phrasings import PHRASINGS

SEEDS = torch.arange(240)
ALL = tuple(range(len(FONTS)))
WRITING = sample_writing(SEEDS, ALL)
COVER = paint_writing(WRITING).cover[:, 0]


def cropped(ink: torch.Tensor) -> torch.Tensor:
    rows, columns = (ink.amax(dim=axis).nonzero()[:, 0] for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def letters(line: torch.Tensor) -> list[torch.Tensor]:
    """Pieces of a line that no empty column divides."""
    inked = [*(line.amax(dim=0) > 0).tolist(), False]
    pieces, start = [], 0
    for column, ink in enumerate(inked):
        if not ink:
            if start < column:
                pieces.append(cropped(line[:, start:column]))
            start = column + 1
    return pieces


def read(line: torch.Tensor, font: int) -> str:
    atlas = [cropped(tile.float() / 255.0) for tile in glyphs("cpu")[0][font]]
    return "".join(
        next((glyph for glyph, tile in zip(GLYPHS, atlas, strict=True) if torch.equal(tile, piece)), "?")
        for piece in letters(line)
    )


def test_pictures_show_the_word_and_the_number_in_their_places() -> None:
    for row in range(len(SEEDS)):
        lines = [read(half, int(WRITING.font[row])) for half in COVER[row].split(SIZE // 2)]
        said = [WORDS[int(WRITING.word[row])], WORDS[int(WRITING.number[row])]]
        assert lines == (said if WRITING.word_first[row] else said[::-1])


def test_every_word_in_every_font_stays_off_the_rim() -> None:
    words, fonts = torch.tensor(indices(WRITTEN)), torch.tensor(ALL)
    pairs = torch.cartesian_prod(words, fonts)
    n = len(pairs)
    for shift, top in ((-6, 4), (6, 28)):
        writing = Writing(
            word=pairs[:, 0],
            number=torch.full((n,), indices(["88"])[0]),
            font=pairs[:, 1],
            ink=torch.zeros(n, 3),
            word_first=torch.ones(n, dtype=torch.bool),
            gap=torch.full((n,), 3),
            shift=torch.full((n, 2), shift),
            top=torch.full((n, 2), top),
        )
        cover = paint_writing(writing).cover[:, 0]
        assert not cover[:, :4].any() and not cover[:, -4:].any()
        assert not cover[:, :, :4].any() and not cover[:, :, -4:].any()
        for row in range(n):
            assert read(cover[row, : SIZE // 2], int(pairs[row, 1])) == WORDS[int(pairs[row, 0])]


def test_only_allowed_fonts_are_used_and_all_of_them() -> None:
    assert set(WRITING.font.tolist()) == set(ALL)
    assert set(sample_writing(SEEDS, (1, 3)).font.tolist()) == {1, 3}


def test_ink_is_dark_and_words_and_numbers_are_varied() -> None:
    assert ((WRITING.ink * torch.tensor([0.30, 0.59, 0.11])).sum(dim=1) < 0.29).all()
    assert WRITING.ink.min() >= 0.0 and WRITING.ink.max() <= 1.0
    assert {WORDS[word] for word in WRITING.word.tolist()} <= set(WRITTEN)
    assert len(WRITING.word.unique()) > 50
    assert {WORDS[number] for number in WRITING.number.tolist()} <= set(NUMBERS[10:])
    assert 0.4 < WRITING.word_first.float().mean() < 0.6


def test_a_picture_does_not_depend_on_its_batch() -> None:
    for row in (0, 7, 100):
        single = sample_writing(SEEDS[row : row + 1], ALL)
        assert all(torch.equal(one[0], vars(WRITING)[name][row]) for name, one in vars(single).items())
        assert torch.equal(paint_writing(single).cover[0, 0], COVER[row])
        questions, alone = ask_writing(WRITING, SEEDS, 3), ask_writing(single, SEEDS[row : row + 1], 3)
        assert all(torch.equal(one[0], vars(questions)[name][row]) for name, one in vars(alone).items())


def test_answers_are_what_can_be_read_and_options_look_alike() -> None:
    questions = ask_writing(WRITING, SEEDS, 4)
    kinds = set()
    for row in range(len(SEEDS)):
        for number in range(4):
            question = questions[row, number]
            kind = PHRASINGS[int(question.phrasing)].kind
            kinds.add(kind)
            options = question.option_words()
            answer = options[int(question.answer)]
            halves = COVER[row].split(SIZE // 2)
            line = halves[int(bool(WRITING.word_first[row]) != (kind == "word"))]
            assert answer == read(line, int(WRITING.font[row]))
            assert len(options) == len(set(options)) == 4
            for other in options:
                if kind == "number":
                    assert other[0] == answer[0] or other[1] == answer[1]
                elif len(answer) < 5:
                    assert len(other) == len(answer)
                else:
                    assert len(other) >= 4
    assert kinds == {"word", "number"}
    assert torch.bincount(questions.answer.flatten(), minlength=4).min() > 0.2 * questions.answer.numel()


def test_held_out_wordings_are_used_on_demand_alone() -> None:
    for held_out in (False, True):
        phrasing = ask_writing(WRITING, SEEDS, 4, held_out).phrasing.flatten().tolist()
        assert all(PHRASINGS[index].held_out == held_out for index in phrasing)
