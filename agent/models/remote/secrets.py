"""Keys of servers, which leave this process in the header of a request alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from ...errors import SettingError

SHORTEST: Final = 8
"""Characters from which on a key is hidden; a shorter one, such as `EMPTY`, keeps no secret and may be a plain word."""
HIDDEN: Final = "[key]"
"""What stands in the place of a key."""


class Secrets:
    """The keys that a model was given.

    Args:
        keys: Any, also empty ones.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        """Keep them, each as it is, as it stands in an address, and as in JSON."""
        kinds = (str, lambda key: quote(key, safe=""), lambda key: json.dumps(key)[1:-1])
        known = {kind(key) for key in keys if len(key) >= SHORTEST for kind in kinds}
        self._forms = sorted(known, key=len, reverse=True)

    def hidden(self, text: str) -> str:
        """A text with `HIDDEN` in the place of every key: a server may send back what it was sent."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return text


def find_key(variable: str, usual: str) -> str:
    """A key from the environment; empty where there is none.

    Args:
        variable: That holds it.
        usual: The variable that is looked at where none is named; only that one may be missing.

    Raises:
        SettingError: The variable is not set, or holds what no header can.
    """
    key = os.environ.get(variable, "").strip()
    if not key and variable != usual:
        message = f"The key of a server was to be in ${variable}, which is not set."
        raise SettingError(message, f"Set it: `export {variable}=...`.")
    if not (key.isascii() and key.isprintable()):
        raise SettingError(f"The key in ${variable} has characters that no key has.", "Set it anew, on one line.")
    return key
