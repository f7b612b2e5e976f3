"""Conformance: every rule of the protocol of models, tried on a model as an engine would use it.

Never: what a model is good at. It may answer nonsense; it may not say that it can do what it cannot.
"""
