"""The graphs behind a LangGraph server: pictures by address, health, figures, and bad input refused at the door.

`g2u.serving.app:app` is the `http.app` of `langgraph.json`; `g2u serve` runs it. Needs the extra `serve`.
"""
