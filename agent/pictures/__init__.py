"""Pictures from outside to a reference: the store that keeps them, what is taken in from callers, fetching, addresses.

Never: what a picture means, or who asks about it.
"""
