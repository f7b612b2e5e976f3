"""A study as people see it: the page, its charts and its gallery, and two studies side by side.

Never: arithmetic; that is in `tables` and `statistics`.
"""
