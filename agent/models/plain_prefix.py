"""The prefix of a model that computes nothing before it is asked: the segments themselves."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from .protocol import Prefix, Segment


@dataclass(frozen=True)
class PlainPrefix:
    """Segments, which are handed on whole with every request."""

    segments: tuple[Segment, ...]

    @property
    def images(self) -> tuple[Image.Image, ...]:
        """The pictures among them."""
        return tuple(part for part in self.segments if not isinstance(part, str))

    @property
    def pictures(self) -> int:
        """How many pictures it covers."""
        return len(self.images)

    @property
    def nbytes(self) -> int:
        """Bytes of its last segment."""
        last = self.segments[-1]
        return len(last) if isinstance(last, str) else last.width * last.height * 3


def plain(prefix: Prefix) -> PlainPrefix:
    """A prefix of such a model as what it is."""
    assert isinstance(prefix, PlainPrefix)
    return prefix


def longer(prefix: Prefix | None, segment: Segment) -> PlainPrefix:
    """A prefix and one more segment."""
    return PlainPrefix((*(plain(prefix).segments if prefix else ()), segment))
