"""How well a model draws and judges in the world: fidelity, measures, and the evaluations that use them.

Never: training.
"""
