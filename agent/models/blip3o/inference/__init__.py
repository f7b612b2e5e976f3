"""Reading, drawing and writing with the network, step by step, as the official program does.

Never: files.
"""
