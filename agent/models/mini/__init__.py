"""The embedded model: a small unified transformer trained in the picture world, for any laptop.

Never: its training, which is in `g2u.world.training`.
"""
