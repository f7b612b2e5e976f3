"""Through RemoteGraph: the loop on a LangGraph server, used like a graph of one's own.

pip install 'g2u[serve]'
python examples/remote_graph.py

It starts the server of `langgraph.json` on a free port of this machine and stops it at the end.
"""

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from langgraph.pregel.remote import RemoteGraph
from picture import OPTIONS, QUESTION, save_picture

import g2u

CONFIG = Path(__file__).parents[1] / "langgraph.json"


def start_server(pictures: Path) -> tuple["subprocess.Popen[bytes]", str]:
    """A LangGraph server that shares the folder of pictures; its process and its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "langgraph_cli", "dev", "--config", str(CONFIG), "--port", str(port)]
    quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false", "G2U_PICTURES": str(pictures)}
    process = subprocess.Popen(
        [*command, "--no-browser", "--no-reload"], cwd=CONFIG.parent, env=os.environ | quiet,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address, deadline = f"http://127.0.0.1:{port}", monotonic() + 120
    while process.poll() is None and monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{address}/ok", timeout=1)
            return process, address
        except (urllib.error.URLError, OSError):
            pass
    process.kill()
    raise SystemExit("The server did not start.")


async def main() -> None:
    """Keep a picture where the server finds it, and ask by its reference."""
    with TemporaryDirectory() as folder:
        picture = g2u.ImageStore(folder).add_file(save_picture())
        process, address = start_server(Path(folder))
        try:
            remote = RemoteGraph("imagine", url=address)
            result = await remote.ainvoke(
                {"picture": picture.model_dump(), "question": QUESTION, "options": OPTIONS},
                context={"rounds": 1},
            )
            print(result["answer"]["text"], [turn["decision"]["edit"] for turn in result["rounds"]])
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    if not CONFIG.is_file() or not importlib.util.find_spec("langgraph_api"):
        print("Skipped: this needs langgraph.json at the root and the extra `serve`: pip install 'g2u[serve]'.")
    else:
        asyncio.run(main())
