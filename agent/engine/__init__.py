"""The resident host of a model: one worker thread, common batches of all callers' requests, caches, counts, previews.

Never: what is asked of the model and why; that is the loop's.
"""
