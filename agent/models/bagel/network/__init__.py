"""The network: sizes, reader, experts and autoencoder, plain and exact; pictures to tensors and back.

Never: an order of steps; that is in `inference`.
"""
