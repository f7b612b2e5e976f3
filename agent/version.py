"""The version of G2U, for whatever is written down or told to others."""

from importlib.metadata import version
from typing import Final

__version__: Final = version("g2u")
"""Of the installed package, such as `0.1.0`."""
