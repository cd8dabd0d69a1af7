"""Encoders: `make(**config.model)` returns a flax module, images -> {'h', 'z'}."""
