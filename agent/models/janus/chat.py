"""What is asked, as Janus was trained to be asked: the chat of its folder, cut where pictures stand."""

from __future__ import annotations

from typing import Any, Final

_QUESTION: Final = "\x00"
"""Stands for a question while the template is filled."""


class Chat:
    """The template of a chat, as tokens before, between and after pictures.

    Special tokens stand at every cut, so the tokens of the parts are those of the whole.

    Args:
        processor: Of transformers; its template is used, and whether it adds the system prompt.
        tokenizer: Of the same folder.
    """

    def __init__(self, processor: Any, tokenizer: Any) -> None:
        """Fill the template for one picture and for two."""
        from transformers.models.janus.processing_janus import DEFAULT_SYSTEM_PROMPT

        self._tokenizer = tokenizer
        self.end: int = tokenizer.eos_token_id
        """Of an answer."""
        self.picture_tokens: int = processor.num_image_tokens
        """Of each picture, without its two marks."""
        mark, (start, stop) = tokenizer.image_token, (tokenizer.boi_token, tokenizer.eoi_token)
        system = DEFAULT_SYSTEM_PROMPT if processor.use_default_system_prompt else ""

        def asked(pictures: int) -> list[str]:
            content = [*({"type": "image"} for _ in range(pictures)), {"type": "text", "text": _QUESTION}]
            message = [{"role": "user", "content": content}]
            text = system + processor.apply_chat_template(message, add_generation_prompt=True, tokenize=False)
            return str(text).split(mark)

        before, after = asked(1)
        _, between, _ = asked(2)
        self._after = after.split(_QUESTION)
        self._stop = stop
        self.first: list[int] = tokenizer(before + start)["input_ids"]
        """Tokens before the first picture, the beginning of a text among them."""
        self.next: list[int] = self._ids(stop + between + start)
        """Tokens before each further one, from the end of the one before it on."""

    def asks(self, question: str) -> list[int]:
        """Tokens from the end of the last picture to where the answer begins."""
        before, after = self._after
        return self._ids(self._stop + before + question + after)

    def answer(self, text: str) -> list[int]:
        """Tokens of an answer, which a space parts from its role; without the end."""
        return self._ids(f" {text}")

    def text(self, ids: list[int]) -> str:
        """The text of tokens, without special ones and outer white space."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip()

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
