"""Sweeps: the product of some axes, cell by cell, into one labelled Zarr store.

`sweep_file` reads what is asked for (`axes`, `families`, `parameter_paths`;
`observables` at the end, `along` the way), `grid` cuts it into units of work,
`assembly` and `solving` solve one unit, `reduction` summarises draws and seeds, `store`
keeps the results, `run_units` goes through the units, `locks` shares them out to
processes and `machines` solves them together.
"""
