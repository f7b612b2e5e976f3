"""Runs as they are kept and shown: records, their writing and reading, pages, viewer, terminal.

Never: running anything.
"""
