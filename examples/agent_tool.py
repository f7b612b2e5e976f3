"""As a tool: an agent of LangChain asks the model, which imagines before it answers.

pip install 'g2u[writer]'
python examples/agent_tool.py
"""

import asyncio

from chat_model import calls, scripted
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from picture import OPTIONS, QUESTION, save_picture

import g2u


async def main() -> None:
    """Let an agent use the tool `imagine`, and show what it got back."""
    picture = save_picture()
    chat_model = scripted(
        calls("imagine", picture=str(picture), question=QUESTION, options=OPTIONS),
        AIMessage("Take the teal exit."),
    )
    agent = create_agent(chat_model, [g2u.as_tool(rounds=1)])
    result = await agent.ainvoke({"messages": [{"role": "user", "content": f"{picture}: which way out?"}]})
    [told] = [message for message in result["messages"] if isinstance(message, ToolMessage)]
    print([block["type"] for block in told.content_blocks])  # words, then the visual thought
    print(told.artifact.answer, told.artifact.trace)  # the whole run, for your own code
    print(result["messages"][-1].text)


if __name__ == "__main__":
    asyncio.run(main())
