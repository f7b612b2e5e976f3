"""Conformance: every rule of the protocol of models, tried on a model as an engine would use it.

Beside them, `servers` asks servers what only one that heeds it can answer.

Never: what a model is good at. It may answer nonsense; it may not say that it can do what it cannot.
"""
