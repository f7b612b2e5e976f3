"""The LangGraph graphs of G2U, wiring only: nodes in, compiled graph out."""
