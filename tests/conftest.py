"""Settings that must be in place before LangGraph is imported."""

import os

# Checkpoints may then hold only types that are registered with the serialiser: a pixel array or a model would raise.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
