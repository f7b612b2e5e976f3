"""G2U as a model of lmms-eval: the entry point that the kit finds, and what it runs.

`lmms_eval --model g2u --model_args mode=thought,model=bagel --tasks ...` needs nothing but both packages installed.
The kit imports the entry points of all installed packages in one go, so that this file imports nothing heavy.

| mode | what it does with every picture of an item |
|---|---|
| `direct` | answers |
| `thought` | draws what the task says, sees all pictures and the drawing, answers |
| `agent` | lets the loop choose whether and what to draw, and judge it |
"""

from __future__ import annotations

from typing import Any, Final

KEY: Final = "g2u"
"""Of the model in lmms-eval."""


def manifest() -> Any:
    """What lmms-eval's registry takes: the key of the model and the place of its class."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(model_id=KEY, simple_class_path=f"{__name__}.model.G2UModel")
