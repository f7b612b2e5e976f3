"""What a study is to answer: arms, questions and presets, and the records in which it writes them down.

Never: running them.
"""
