"""What pictures are made of: emoji, letters and textures, words for them, layers, grounds and things.

Never: a whole picture.
"""
