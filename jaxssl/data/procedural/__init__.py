"""The painters of `sources/shapes.py`: colour images made of NumPy arithmetic.

A domain's module has `LEVELS`, the names of its taxonomy's levels from coarse to
fine; `CLASSES`, from the path of each class down these levels to the function that
paints it on a sheet; `CLUTTER`, whether there is clutter behind it; and `DAPPLE`,
how uneven the light on it is.
"""
