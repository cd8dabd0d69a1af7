"""One file for each kind of source: `make(split=..., ...) -> Source`."""
