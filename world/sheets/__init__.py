"""Contact sheets, the matrix of edits and curves of training: the world for the eye.

Never: anything that other rooms need.
"""
