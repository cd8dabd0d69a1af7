"""Heads, norms, pooling, and the ways to convolve among which `models.conv` chooses."""
