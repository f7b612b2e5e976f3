"""The comparison with outputs of the official program: cases, and weights made from a seed.

Never: needed when a model runs.
"""
