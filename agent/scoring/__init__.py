"""What an answer is worth: scorers as data, and finding the answer in what a model wrote.

Never: running a model, or adding scores up.
"""
