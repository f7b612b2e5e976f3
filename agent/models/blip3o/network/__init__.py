"""The network of BLIP3o: the reader and the pixel decoder of the libraries, the transformer between them our own.

Never: files.
"""
