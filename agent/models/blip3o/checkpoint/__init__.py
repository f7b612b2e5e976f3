"""The official files of BLIP3o: which there are, their tensors key by key, and what names a folder of them."""
