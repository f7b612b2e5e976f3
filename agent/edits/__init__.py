"""What may be done to a picture: the library of edits, their calls as tools, the menu that a question allows.

Never: who picks one, or how it is drawn.
"""
