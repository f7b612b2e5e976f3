"""Who picks the edit, and how: policies, what they know of the situation, chat models that write.

Never: drawing, judging or answering.
"""
