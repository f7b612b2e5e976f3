"""The fast execution for GPUs: its layers, attention, products and kernels; lossy products in eight bits.

Never: what the others rest on; without a GPU nothing here is imported.
"""
