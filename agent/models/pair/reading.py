"""Reading and comparing with any vision-language model of transformers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import torch
from PIL import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ...errors import PictureError, QuestionError
from ..protocol import Reading, Segment, StepCallback

SHORTEST: Final = 28
"""Pixels of the shorter side at least: processors take a narrower one for channels, or make no patch of it."""
NARROWEST: Final = 64
"""By how much one side of a picture may be longer than the other."""


class Reader:
    """A vision-language model and its processor.

    Args:
        model: Of transformers, in evaluation mode.
        processor: Of the same checkpoint, with a template of its chat.
        device: Of what it is given; `None` for the model's own.
    """

    def __init__(self, model: Any, processor: Any, device: Callable[[], torch.device] | None = None) -> None:
        """Find out how its texts end."""
        self._model = model
        self._processor = processor
        self._tokenizer = getattr(processor, "tokenizer", processor)
        self.device = device or (lambda: cast(torch.device, model.device))
        """Where it computes, which offloading decides anew."""
        self.name = type(model).__name__
        """Of its class."""
        ends = model.generation_config.eos_token_id
        self._ends = ends if isinstance(ends, list) else [ends]
        own = self._tokenizer.eos_token_id
        self._end = own if own in self._ends or self._ends == [None] else self._ends[0]
        self._pad = self._tokenizer.pad_token_id if self._tokenizer.pad_token_id is not None else self._end
        self._keeps_logits = "logits_to_keep" in inspect.signature(model.forward).parameters

    @torch.inference_mode()
    def read(
        self,
        shown: Sequence[Sequence[Segment]],
        texts: Sequence[str],
        max_tokens: int,
        on_step: StepCallback,
        temperature: float = 0.0,
        seeds: Sequence[int] = (),
    ) -> list[Reading | None]:
        """Continue the texts, one padded batch; see `TemperatureModel`."""
        from transformers.generation.logits_process import LogitsProcessorList
        from transformers.generation.stopping_criteria import StoppingCriteriaList

        given = self._given([self._asked(segments, text) for segments, text in zip(shown, texts, strict=True)])
        start = given["input_ids"].shape[1]
        wanted = [True] * len(texts)

        def stop(ids: Tensor, scores: Any, **_: Any) -> Tensor:
            nonlocal wanted
            wanted = list(on_step(ids.shape[1] - start, max_tokens))
            return torch.tensor([not wait for wait in wanted], device=ids.device)

        made = self._model.generate(
            **given,
            max_new_tokens=max_tokens,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            repetition_penalty=1.0,  # with that of a checkpoint the likeliest word would not be taken
            eos_token_id=[end for end in self._ends if end is not None] or None,
            pad_token_id=self._pad,
            logits_processor=LogitsProcessorList([_chance(temperature, seeds)] if temperature else []),
            stopping_criteria=StoppingCriteriaList([cast(Any, stop)]),
            output_logits=True,
            return_dict_in_generate=True,
        )
        shares = torch.stack([one.float().log_softmax(dim=-1) for one in made.logits], dim=1)
        written = made.sequences[:, start:]
        told = shares.gather(-1, written[..., None])[..., 0]
        return [
            self._reading(ids.tolist(), one.tolist()) if wait else None
            for ids, one, wait in zip(written, told, wanted, strict=True)
        ]

    @torch.inference_mode()
    def score(self, segments: Sequence[Segment], text: str, options: Sequence[str]) -> list[float]:
        """Log-probability of each option and the end after a text; all options are one batch."""
        given = self._given([self._asked(segments, text)])
        rows = [torch.tensor([*self._words(option), self._end]) for option in options]
        words = pad_sequence(rows, batch_first=True, padding_value=self._pad).to(given["input_ids"].device)
        real = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True).to(words.device)
        longer: dict[str, Any] = {}
        for name, value in given.items():
            if not isinstance(value, Tensor):
                longer[name] = value
                continue
            many = torch.cat([value] * len(options))  # pictures, too, stand once for each row
            if value.shape[:2] == given["input_ids"].shape:
                more = words if name == "input_ids" else real if name == "attention_mask" else torch.zeros_like(words)
                many = torch.cat([many, more.to(many.dtype)], dim=1)
            longer[name] = many
        longest = words.shape[1]
        kept = {"logits_to_keep": longest + 1} if self._keeps_logits else {}
        logits = self._model(**longer, **kept, use_cache=False).logits[:, -longest - 1 : -1]
        shares = logits.float().log_softmax(dim=-1).gather(-1, words[..., None])[..., 0]
        return [float(value) for value in (shares * real).sum(dim=1).tolist()]

    def count_tokens(self, option: str) -> int:
        """Tokens of an option and the end."""
        return len(self._words(option)) + 1

    def _words(self, option: str) -> list[int]:
        return list(self._tokenizer(option, add_special_tokens=False)["input_ids"])

    def _reading(self, ids: Sequence[int], told: Sequence[float]) -> Reading:
        ends = [place for place, word in enumerate(ids) if word in self._ends]
        count = ends[0] + 1 if ends else len(ids)
        text = self._tokenizer.decode(ids[:count], skip_special_tokens=True)
        return Reading(text.strip(), min(0.0, sum(told[:count])), count)

    def _asked(self, segments: Sequence[Segment], text: str) -> tuple[str, list[Image.Image]]:
        """What is asked as the model's chat has it, and its pictures."""
        parts = [
            {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"} for part in (*segments, text)
        ]
        message = [{"role": "user", "content": parts}]
        asked = self._processor.apply_chat_template(message, add_generation_prompt=True, tokenize=False)
        return asked, [part for part in segments if not isinstance(part, str)]

    def _given(self, asked: Sequence[tuple[str, list[Image.Image]]]) -> dict[str, Any]:
        """What the model takes, padded on the left."""
        self._tokenizer.padding_side = "left"
        given = self._processor(
            text=[text for text, _ in asked],
            images=[pictures for _, pictures in asked],
            padding=True,
            return_tensors="pt",
            # The templates of chats write the marks of a beginning themselves.
            add_special_tokens=False,
        )
        most = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        length = given["input_ids"].shape[1]
        if most and length > most:
            message = f"A text with its pictures has {length:,} tokens, and the reader has {most:,} positions."
            raise QuestionError(message, "Ask a shorter question, or show fewer pictures.")
        dtype = self._model.dtype
        placed = {
            name: value.to(self.device()) if isinstance(value, Tensor) else value for name, value in given.items()
        }
        return {
            name: value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value
            for name, value in placed.items()
        }


def checked_picture(picture: Image.Image) -> Image.Image:
    """A picture as readers take it; one with a very short side is enlarged.

    Raises:
        PictureError: It is too narrow.
    """
    short, long = sorted(picture.size)
    if long > NARROWEST * short:
        message = f"A picture of {picture.width}x{picture.height} pixels is too narrow for a reader."
        raise PictureError(message, f"Send one whose longer side is at most {NARROWEST} times the shorter.")
    if short >= SHORTEST:
        return picture
    size = (
        max(SHORTEST, round(picture.width * SHORTEST / short)),
        max(SHORTEST, round(picture.height * SHORTEST / short)),
    )
    return picture.resize(size, Image.Resampling.BICUBIC)


def _chance(temperature: float, seeds: Sequence[int]) -> Any:
    """Adds noise to logits by which the likeliest token is one drawn at a temperature; each row has its own generator.

    The largest of logits with Gumbel noise is distributed as a draw from their softmax.
    """
    chances = [torch.Generator().manual_seed(seed) for seed in seeds]

    def noisy(ids: Tensor, scores: Tensor) -> Tensor:
        shape = scores.shape[-1:]
        noise = torch.stack([torch.rand(shape, generator=one).clamp_min(1e-20) for one in chances])
        return scores.float() / temperature - (-noise.log()).log().to(scores.device)

    return noisy
