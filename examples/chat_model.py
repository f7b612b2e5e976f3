"""A chat model for the examples that need one: it says what it was told to say, so that they run offline.

Put a real one in its place, such as `init_chat_model("openai:gpt-4o-mini")`.
"""

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage


class ScriptedChat(GenericFakeChatModel):
    """Says its messages one after the other, whatever it is asked."""

    def bind_tools(self, tools: Sequence[Any], **options: Any) -> "ScriptedChat":
        """Take any tools."""
        return self


def scripted(*messages: AIMessage) -> ScriptedChat:
    """A chat model that says these messages."""
    return ScriptedChat(messages=iter(messages))


def calls(name: str, **arguments: Any) -> AIMessage:
    """A message that calls one tool."""
    return AIMessage("", tool_calls=[{"id": f"call-{name}", "name": name, "args": arguments}])
