"""The edits as tools: any agent that calls tools can work on pictures, one edit after the other.

pip install 'g2u[writer]'
python examples/agent_edits.py
"""

import asyncio

from chat_model import calls, scripted
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from picture import save_picture

import g2u


async def main() -> None:
    """Let an agent trace the path in a maze and then remove the noise of the drawing."""
    picture = save_picture()
    tools = g2u.edit_tools()
    print(len(tools), "tools:", ", ".join(tool.name for tool in tools))
    [trace_path] = [tool for tool in tools if tool.name == "trace_path"]
    traced = (await trace_path.ainvoke(calls("trace_path", picture=str(picture)).tool_calls[0])).artifact
    chat_model = scripted(calls("denoise", picture=traced.picture.uri), AIMessage("Done."))
    agent = create_agent(chat_model, tools)
    result = await agent.ainvoke({"messages": [{"role": "user", "content": f"Clean up {traced.picture.uri}."}]})
    [told] = [message for message in result["messages"] if isinstance(message, ToolMessage)]
    print(told.artifact.instruction, told.artifact.picture.uri)


if __name__ == "__main__":
    asyncio.run(main())
