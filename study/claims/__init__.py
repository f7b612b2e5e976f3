"""The claims of the paper, and the page that holds a study against them.

Never: how a number comes about.
"""
