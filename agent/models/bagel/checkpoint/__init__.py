"""The official files: which are missing, what is in them, and what names a folder of them.

Never: computing with them.
"""
