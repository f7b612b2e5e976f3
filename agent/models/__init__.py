"""Unified models: the protocol that each follows, the table of those known by name, and a room for each.

Never: anything of the engine, the loop or a graph.
"""
