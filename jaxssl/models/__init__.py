"""Encoders: `make(**config.model)` returns a flax module, images -> {'h', 'z'}."""

PARTS = ('conv',)  # What encoders are made of, and none itself; see `plugins.names`.
