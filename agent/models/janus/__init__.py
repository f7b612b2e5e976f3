"""Janus and Janus-Pro through transformers: a model that reads. It draws from texts alone, so here it draws nothing.

Never: the library's `generate`, of which this room needs nothing.
"""
