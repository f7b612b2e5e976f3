"""Models that compare no texts: what they write is matched, the trace says so; what needs scores is refused early."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from g2u.asking import Run, ask
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import BudgetError, CapabilityError
from g2u.models.settings import Setting
from g2u.pictures.store import ImageStore
from g2u.traces.trace import read_trace
from tests.scripted import Pictures, ScriptedModel


def run(folder: Path, model: Any, **changes: Any) -> Run:
    register_engine("silent", engine := Engine(lambda: model))
    picture = ImageStore(folder / "pictures").add_image(Image.new("RGB", (8, 8), (200, 0, 0)))
    settings: dict[str, Any] = {"options": ["red", "light blue", "blue"], "rounds": 1, "out": folder} | changes
    try:
        return ask(picture, "Which colour?", model="silent", store=str(folder / "pictures"), **settings)
    finally:
        engine.close()


def writes(answer: str, verdict: str = "keep", edit: str = '{"edit": "deblur"}') -> ScriptedModel:
    def write(text: str, pictures: Pictures) -> str:
        return edit if text.endswith("Edit:") else verdict if text.endswith("Verdict:") else answer

    return ScriptedModel(read_script=write).declaring(scores=False)


def test_an_answer_among_options_is_the_one_that_the_reply_names(tmp_path: Path) -> None:
    model = writes("It is Light Blue.")
    found = run(tmp_path, model)
    assert (found.answer, found.direct_answer) == ("light blue", "light blue")
    assert (found.final.written, found.final.probabilities, found.final.tokens) == ("It is Light Blue.", {}, 4)
    assert not model.of("score")
    assert found.trace
    trace = read_trace(found.trace)
    assert trace.answer and trace.answer.written and not trace.header.capabilities.scores
    page = (found.trace / "index.html").read_text()
    assert "The options were not compared: this is the one that its words name" in page


def test_a_reply_that_names_no_option_stays_as_it_is(tmp_path: Path) -> None:
    found = run(tmp_path, writes("I cannot tell."))
    assert (found.answer, found.final.written) == ("I cannot tell.", "I cannot tell.")


def test_a_model_that_compares_does_so(tmp_path: Path) -> None:
    found = run(tmp_path, ScriptedModel())
    assert (found.final.written, len(found.final.probabilities)) == ("", 3)


@pytest.mark.parametrize(
    ("reply", "action", "kept"),
    [("keep", "keep", 1.0), ("I would discard it.", "discard", 0.0), ("Hm.", "discard", 0.0), ("Retry!", "retry", 0.0)],
)
def test_a_verdict_is_the_action_that_the_reply_names(reply: str, action: str, kept: float, tmp_path: Path) -> None:
    verdict = run(tmp_path, writes("red", reply)).rounds[0].verdict
    assert verdict and (verdict.action, verdict.probabilities, verdict.keep) == (action, {}, kept)
    assert repr(reply) in verdict.reason
    assert ("names no action" in verdict.reason) == (reply == "Hm.")


@pytest.mark.parametrize("policy", ["score", "self-naive", "probe"])
def test_policies_that_compare_are_refused_before_anything_is_asked(policy: str, tmp_path: Path) -> None:
    model = writes("red")
    with pytest.raises(CapabilityError) as refused:
        run(tmp_path, model, policy=policy)
    assert f"declares no `scores`, and the policy {policy!r} compares texts by them" in refused.value.message
    assert "`self`" in refused.value.hint and not model.calls


def test_doubt_needs_log_probabilities_where_there_are_no_options(tmp_path: Path) -> None:
    model = ScriptedModel().declaring(log_probabilities=False)
    with pytest.raises(CapabilityError, match="declares no `log_probabilities`"):
        run(tmp_path, model, policy="probe:1", options=[])
    assert run(tmp_path, model, policy="probe:1").answer == "red"


def test_a_temperature_is_handed_on_or_refused(tmp_path: Path) -> None:
    with pytest.raises(CapabilityError, match="has no temperature"):
        run(tmp_path, ScriptedModel(), temperature=0.7)
    with pytest.raises(BudgetError, match="0 to 10, not -1"):
        run(tmp_path, ScriptedModel(), temperature=-1.0)

    class Warm(ScriptedModel):
        def read(self, *given: Any) -> Any:
            warmth.append(given[4:])
            return super().read(*given[:4])

    warmth: list[Any] = []
    model = Warm().declaring(temperature=True)
    run(tmp_path, model, temperature=0.7, seed=3, options=[])
    assert {one[0] for one in warmth} == {0.7} and {tuple(one[1]) for one in warmth} == {(3,)}
    warmth.clear()
    run(tmp_path, model, options=[])
    assert set(warmth) == {()}


def test_settings_of_the_model_reach_its_sampler_and_the_trace(tmp_path: Path) -> None:
    model = ScriptedModel().declaring(settings={"cfg_text": Setting(default=4.0, most=20.0)})
    found = run(tmp_path, model, values={"cfg_text": "6"}, policy="fixed:deblur")
    assert found.trace
    header = read_trace(found.trace).header
    assert (header.sampler.values, header.config.values) == ({"cfg_text": 6.0}, {"cfg_text": "6"})
    assert header.capabilities.settings["cfg_text"] == Setting(default=4.0, most=20.0)
