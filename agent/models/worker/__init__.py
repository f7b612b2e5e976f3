"""A model in a worker process: a Python of its own, whose packages need not be those of G2U.

Never: what a certain model needs. `child` is run by its path where G2U is not installed.
"""
