"""Benchmarks of others: what is in their files, and how their owners score.

A benchmark is rows in, scores out; this room knows nothing of studies. `kits` holds the rules of the evaluation kits,
`predictions` the files in which answers go from one program to another.
"""
