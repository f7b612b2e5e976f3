"""An MCP server: other programs let the model imagine, send it pictures and get its drawings.

`g2u mcp`, or `python -m g2u.plugins.mcp`, speaks over standard input and output, and with `--http` over streamable
HTTP; `mcp_app` is the same as an ASGI application, for a server that exists already. It is stateless over HTTP: any
request may go to any process.

| tool | takes | gives |
|---|---|---|
| `imagine` | a picture, a question and perhaps options | the answers, the kept visual thought, the trace's address |
| `edit` | a picture and an edit of the library | the new picture and its reference |

| resource | holds |
|---|---|
| `g2u://edits` | the edits that there are, with their arguments |
| `g2u://runs` | the runs, newest first |
| `g2u://runs/RUN` | the trace of a run, JSON Lines |
| `g2u://pictures/SHA` | a picture that a trace or a result names |
"""

from __future__ import annotations

import importlib.util

from ...errors import MissingExtraError

if importlib.util.find_spec("mcp") is None:
    raise MissingExtraError("The MCP server", "mcp", "mcp")
