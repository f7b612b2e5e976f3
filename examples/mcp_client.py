"""Through MCP: a program that knows nothing of G2U starts its server and sends it a picture.

pip install 'g2u[mcp]'
python examples/mcp_client.py
"""

import asyncio
import base64
import os
import sys
from pathlib import Path

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import ImageContent
from picture import OPTIONS, QUESTION, save_picture


async def main() -> None:
    """Ask over standard input and output, save the drawing, and read the trace."""
    sent = base64.b64encode(save_picture().read_bytes()).decode()
    command = ["-m", "g2u.plugins.mcp", "--rounds", "1"]
    settings = {name: value for name, value in os.environ.items() if name.startswith("G2U_")}
    server = StdioServerParameters(command=sys.executable, args=command, env=settings)
    async with stdio_client(server) as (reading, writing), ClientSession(reading, writing) as session:
        await session.initialize()
        print([tool.name for tool in (await session.list_tools()).tools])
        picture = {"data": sent, "mimeType": "image/png"}
        asked = {"picture": picture, "question": QUESTION, "options": OPTIONS}
        result = await session.call_tool("imagine", asked)
        print(result.content[0].text)
        for part in result.content:
            if isinstance(part, ImageContent):
                Path("runs/thought.png").write_bytes(base64.b64decode(part.data))
        traces = [resource for resource in (await session.list_resources()).resources if "runs/" in str(resource.uri)]
        print(len(traces), "trace:", traces[0].name)


if __name__ == "__main__":
    asyncio.run(main())
