#!/usr/bin/env bash
# langgraph-api 0.16.7, A2A endpoint: of several text parts of one message a graph keeps only the last.
#
# What people guess: the parts of an A2A message reach a graph of messages together, as one message or one after the
# other. What happens: each text part becomes a message of its own, all of them with the `messageId` of the one that was
# sent; LangGraph's `add_messages` takes messages of one id for versions of the same, and keeps the last.
# Why it matters: an agent that sends a question and a reference to a picture as two parts, as the protocol invites it
# to, is answered about the second part alone; no error says so. A graph behind A2A must join the parts before
# LangGraph sees them, or its clients must send one part.
#
# Output seen (with langgraph 1.2.24, langchain-core 1.8.3):
#   sent: two text parts in one message
#   the graph: ["I was given: ['The picture is picture-1.']"]
# It exits with 1 once both parts come.
#
# Usage: findings/a2a-text-parts.sh   (needs Python 3.11 or later and a package index; takes about two minutes)
set -euo pipefail
place=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip --disable-pip-version-check install --quiet \
    langgraph==1.2.24 langgraph-api==0.16.7 'langgraph-cli[inmem]==0.4.40' langchain-core==1.8.3

cat >graph.py <<'PYTHON'
"""A graph that says which words of a person it was given."""
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph


def tell(state: MessagesState) -> dict:
    words = [message.text for message in state["messages"] if message.type == "human"]
    return {"messages": [AIMessage(f"I was given: {words}")]}


graph = StateGraph(MessagesState).add_node("tell", tell).add_edge(START, "tell").compile()
PYTHON
echo '{"dependencies": ["."], "graphs": {"agent": "./graph.py:graph"}}' >langgraph.json

port=$(venv/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
LANGSMITH_TRACING=false LANGGRAPH_CLI_NO_ANALYTICS=1 \
    venv/bin/langgraph dev --no-browser --no-reload --port "$port" >server.log 2>&1 &
server=$!

cat >ask.py <<'PYTHON'
"""Sends one message of two text parts, prints the answer, and exits with 1 where both parts came."""
import json
import sys
import time
import urllib.request

address = f"http://127.0.0.1:{sys.argv[1]}"


def post(path: str, body: dict) -> dict:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    request = urllib.request.Request(address + path, json.dumps(body).encode(), headers)
    return json.loads(urllib.request.urlopen(request, timeout=60).read())


for _ in range(120):
    try:
        urllib.request.urlopen(f"{address}/ok", timeout=5)
        break
    except OSError:
        time.sleep(1)
(assistant,) = post("/assistants/search", {})
parts = [{"kind": "text", "text": "Which colour is it?"}, {"kind": "text", "text": "The picture is picture-1."}]
message = {"role": "user", "messageId": "message-1", "parts": parts}
request = {"jsonrpc": "2.0", "id": "1", "method": "message/send", "params": {"message": message}}
reply = post(f"/a2a/{assistant['assistant_id']}", request)
found = json.dumps(reply)
print("sent: two text parts in one message")
said = [part["text"] for artifact in reply["result"].get("artifacts", []) for part in artifact["parts"]]
print("the graph:", said)
if "Which colour" in found.split("I was given")[-1]:
    sys.exit("Both parts came: the behaviour has changed.")
assert "picture-1" in said[0], reply
PYTHON
venv/bin/python ask.py "$port"
