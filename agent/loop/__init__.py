"""The loop: what the nodes of the graphs do, from the check of a question to its answer.

Never: the wiring of a graph, the model itself, or how a run is kept and shown.
"""
