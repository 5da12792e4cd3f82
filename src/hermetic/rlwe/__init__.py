"""The ring: parameters, modular arithmetic, transforms, seeds, bit packing."""
