"""The picture world: everything about its pictures is known, because it drew them."""
