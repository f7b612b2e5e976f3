"""Policies and writers of your own: by a place, registered, and what is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable

import g2u
from g2u.edits.library import EditLibrary
from g2u.edits.menu import Menu
from g2u.errors import ExtensionError, SettingError, UnknownNameError
from g2u.loop.deciding import policies, writers
from g2u.loop.deciding.policies import Entry, Situation, check_policy, get_policy, is_own, lacking_policy
from g2u.models.protocol import Capabilities
from g2u.state import Decision
from tests.scripted import CAPABILITIES
from tests.situations import choose, close_engines, situation  # noqa: F401

ROOT = Path(__file__).parents[4]
EXAMPLE = f"{ROOT}/examples/own_policy.py"
MENU = Menu(library=EditLibrary.load())


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    yield
    policies._REGISTERED.clear()
    writers._WRITERS.clear()


async def first(situation: Situation) -> Decision:
    """The first call of the menu."""
    return situation.decision(situation.menu.calls[0], "The first.")


async def test_a_policy_by_its_place_sees_the_situation(tmp_path: Path) -> None:
    dark = await choose(situation(tmp_path, policy=f"{EXAMPLE}:by_brightness"))
    assert (dark.edit, dark.policy) == ("expose", f"{EXAMPLE}:by_brightness")
    assert dark.reason == "The mean brightness is 0 of 255."
    assert (await choose(situation(tmp_path, policy=f"{EXAMPLE}:by_brightness", round=2))).edit == "none"


async def test_a_registered_policy_may_have_an_argument_and_needs(tmp_path: Path) -> None:
    g2u.register_policy("first", first)
    g2u.register_policy("most", Entry(first, argument="K", scores=True))
    assert (await choose(situation(tmp_path, policy="first"))).edit == MENU.calls[0].edit
    assert (await choose(situation(tmp_path, policy="most:3"))).policy == "most:3"
    with pytest.raises(UnknownNameError, match="Did you mean most:K"):
        get_policy("most")
    assert lacking_policy("first", CAPABILITIES, False) == ""
    assert "compares texts" in lacking_policy("most:3", Capabilities(**_least()), False)


def _least() -> dict[str, Any]:
    return {
        "edits": "native", "max_pictures": 2, "aspect": "kept", "same_weights": True, "max_batch": 1,
        "deterministic": True, "prefix_cache": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        (f"{EXAMPLE}:by_brightnes", UnknownNameError, "Did you mean by_brightness?"),
        (f"{EXAMPLE}:writer", ExtensionError, "an async function was expected"),
        ("fixd:deblur", UnknownNameError, "no policy called"),
        ("nowhere.policies:choose", ExtensionError, "There is no module 'nowhere'"),
        ("writer:nowhere.writers:make", ExtensionError, "There is no module 'nowhere'"),
        (f"writer:{EXAMPLE}:ImageStat", ExtensionError, "is of type module, and a chat model of LangChain"),
    ],
)
def test_what_is_no_policy_or_writer_is_refused(name: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error) as refused:
        check_policy(name, MENU, [])
    assert told in str(refused.value)


@pytest.mark.parametrize("name", ["self", "", "my:own"])
def test_a_name_that_is_taken_is_refused(name: str) -> None:
    with pytest.raises(SettingError, match="cannot be called"):
        g2u.register_policy(name, first)


def test_a_function_that_is_not_async_is_no_policy() -> None:
    with pytest.raises(ExtensionError, match="of type function, and an async function"):
        g2u.register_policy("mine", lambda situation: None)  # type: ignore[arg-type, return-value]


def test_a_writer_by_its_place_is_made_once() -> None:
    made = writers.get_writer(f"{EXAMPLE}:writer")
    assert isinstance(made, Runnable) and made.invoke([]) == AIMessage("Raise the contrast.")
    assert writers.get_writer(f"{EXAMPLE}:writer") is made


def test_which_policies_are_code_from_elsewhere() -> None:
    names = ["self", "fixed:deblur", "writer:openai:gpt", f"{EXAMPLE}:by_brightness", "os:system", "slef"]
    assert [is_own(name) for name in names] == [False, False, False, True, True, False]
