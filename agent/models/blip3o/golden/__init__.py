"""The comparison with outputs of the official program: its cases.

Never: needed when a model runs.
"""
