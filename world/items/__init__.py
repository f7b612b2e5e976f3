"""Items: a picture, a question and a condition between the two, and everything that is true of them.

Never: a model.
"""
