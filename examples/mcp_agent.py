"""Through MCP in an agent: what `imagine` gives goes on to the chat model of any provider.

pip install 'g2u[mcp,writer]' langchain-mcp-adapters langchain-anthropic langchain-google-genai langchain-openai
python examples/mcp_agent.py

A scripted chat model calls the tool, so that this runs offline; each provider's package then builds, and does not send,
the request that its own model would get next.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from typing import Any

from chat_model import calls, scripted
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_openai import ChatOpenAI
from picture import OPTIONS, QUESTION, save_picture

SERVER = {
    "transport": "stdio",
    "command": sys.executable,
    "args": ["-m", "g2u.plugins.mcp", "--rounds", "1"],
    "env": {name: value for name, value in os.environ.items() if name.startswith("G2U_")},
}


def block_types(request: Any) -> Iterator[str]:
    """What a request calls the parts of its messages, as far as those are words or pictures."""
    if isinstance(request, list):
        for part in request:
            yield from block_types(part)
    elif isinstance(request, dict):
        if request.get("type") in ("text", "image", "image_url", "input_text", "input_image", "file", "document"):
            yield request["type"]
        if request.get("inline_data"):
            yield request["inline_data"]["mime_type"]
        for value in request.values():
            yield from block_types(value)


async def main() -> None:
    """Let an agent ask through MCP, and print what each provider's model would see of the result."""
    picture = save_picture()
    tools = await MultiServerMCPClient({"g2u": SERVER}).get_tools(server_name="g2u")
    chat_model = scripted(
        calls("imagine", picture=str(picture), question=QUESTION, options=OPTIONS),
        AIMessage("Take the teal exit."),
    )
    agent = create_agent(chat_model, tools)
    result = await agent.ainvoke({"messages": [{"role": "user", "content": f"{picture}: which way out?"}]})
    question, call, told, _ = result["messages"]
    print(told.artifact["structured_content"]["trace"])  # for your own code

    openai = ChatOpenAI(model="gpt-5-mini", api_key="none", use_responses_api=True)
    anthropic = ChatAnthropic(model="claude-sonnet-4-5", api_key="none")
    google = ChatGoogleGenerativeAI(model="gemini-3-flash", api_key="none")
    messages = [question, call, told]
    requests = {
        "OpenAI": openai._get_request_payload(messages, **openai.bind_tools(tools).kwargs)["input"],
        "Anthropic": anthropic._get_request_payload(messages, **anthropic.bind_tools(tools).kwargs)["messages"],
        "Google": [
            part.model_dump(exclude_none=True, warnings=False)
            for part in google._prepare_request(messages, tools=tools)["contents"]
        ],
    }
    for provider, request in requests.items():
        print(f"{provider}: {', '.join(block_types(request))}")


if __name__ == "__main__":
    asyncio.run(main())
