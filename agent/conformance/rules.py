"""The rules by name, and the suite that goes through them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from ..models.contract import model_faults
from ..models.protocol import Capabilities, UnifiedModel
from . import calls, hosting
from .bench import Bench, BrokenRuleError


@dataclass(frozen=True)
class Rule:
    """Something that the protocol demands of a model."""

    check: Callable[[Bench], None]
    """Raises a `BrokenRuleError` where the model does not keep to it; its docstring says what it demands."""
    of: Callable[[Capabilities], object] = lambda able: True
    """Whether it is one for what a model declares."""

    @property
    def about(self) -> str:
        """What it demands, in one line."""
        return (self.check.__doc__ or "").splitlines()[0]


def check_protocol(bench: Bench) -> None:
    """A model has the attributes and methods of what it declares, and declares nothing that contradicts itself."""
    for rule, found in model_faults(bench.model):
        raise BrokenRuleError(f"{rule}, but {found}")


def _draws(able: Capabilities) -> bool:
    return able.edits != "none"


RULES: dict[str, Rule] = {
    "protocol": Rule(check_protocol),
    "prompts": Rule(calls.check_prompts),
    "prefixes": Rule(calls.check_prefixes),
    "most pictures": Rule(calls.check_most_pictures),
    "order": Rule(calls.check_order, lambda able: able.originals > 1 and able.scores),
    "last picture": Rule(
        calls.check_last_picture, lambda able: _draws(able) and able.max_pictures > 1 and able.aspect == "kept"
    ),
    "readings": Rule(calls.check_readings),
    "scores": Rule(calls.check_scores, lambda able: able.scores),
    "log-probabilities": Rule(calls.check_log_probabilities, lambda able: able.scores and able.log_probabilities),
    "temperature": Rule(calls.check_temperature, lambda able: able.temperature),
    "determinism": Rule(calls.check_determinism, lambda able: able.deterministic),
    "batches": Rule(calls.check_batches, lambda able: able.max_batch > 1),
    "seeds": Rule(calls.check_seeds, lambda able: _draws(able) and able.deterministic),
    "odd sizes": Rule(calls.check_odd_sizes),
    "aspect": Rule(calls.check_aspect, _draws),
    "presets": Rule(calls.check_presets, _draws),
    "settings": Rule(calls.check_settings, lambda able: _draws(able) and able.settings),
    "reading values": Rule(calls.check_reading_values, lambda able: able.reading_settings),
    "previews": Rule(calls.check_previews, lambda able: _draws(able) and able.previews and able.deterministic),
    "views": Rule(calls.check_views, lambda able: _draws(able) and able.drawing_view),
    "texts": Rule(calls.check_texts, lambda able: able.text_segments),
    "thoughts": Rule(calls.check_thoughts, lambda able: _draws(able) and able.thinks),
    "native": Rule(calls.check_native, lambda able: _draws(able) and able.native),
    "domain": Rule(calls.check_domain, lambda able: able.domain),
    "vocabulary": Rule(calls.check_vocabulary, lambda able: able.closed_vocabulary),
    "steps": Rule(hosting.check_steps),
    "cancel": Rule(hosting.check_cancel, _draws),
    "deadline": Rule(hosting.check_deadline),
    "prefix cache": Rule(hosting.check_prefix_cache, lambda able: able.prefix_cache),
}
"""Every rule by its name, in the order in which they are tried."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What came of a rule."""

    rule: str
    status: Literal["passed", "failed", "not declared"]
    found: str
    """What the rule demands, or what came instead."""


def check_conformance(model: UnifiedModel) -> Iterator[Finding]:
    """Go through all rules; each finding comes as soon as it is there.

    Args:
        model: Called from this thread, and from those of engines that are made for some rules, never from two at once.
    """
    bench = Bench(model)
    for name, rule in RULES.items():
        if name != "protocol" and not rule.of(model.capabilities):
            yield Finding(rule=name, status="not declared", found=rule.about)
            continue
        try:
            rule.check(bench)
        except BrokenRuleError as broken:
            yield Finding(rule=name, status="failed", found=f"{str(broken)[:1].upper()}{str(broken)[1:]}.")
            if name == "protocol":
                return  # nothing can be asked of it
        except Exception as error:  # the model's own code, so any
            line = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{line.filename}, line {line.lineno}"
            yield Finding(rule=name, status="failed", found=f"{type(error).__name__}: {error} ({where}).")
        else:
            yield Finding(rule=name, status="passed", found=rule.about)
