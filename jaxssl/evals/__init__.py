"""One file for each protocol: `make(embed, *, ...) -> run(params, extra)`.

`PROTOCOL` is its name and `VERSION` counts up when its numbers change. Where `TUNES` is
true its `augment` is made of the method's `tune`, for training, not of its `embed`.
"""
