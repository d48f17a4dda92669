"""Stores of diagrams with numbers that need no solver."""

import numpy as np
import pytest

from experiments.diagrams import changes, preset
from experiments.sweeps import layout, run_units
from experiments.sweeps.locks import Shard


@pytest.fixture
def made(tmp_path):
    """A store of a diagram, with numbers that need no solver: `values` by name."""

    def make(name, values, **options):
        loaded = changes.load(name, **options)
        path = tmp_path / "data" / f"{preset.file_name(name)}.zarr"
        path.parent.mkdir(exist_ok=True)
        target = run_units.begin(path, loaded.sweep, changes.text_of(loaded))

        def numbers(sweep, unit):
            columns = {}
            for key, variable in layout.variables(sweep).items():
                extra = tuple(size for _, size in variable.extra)
                columns[key] = np.zeros((*unit.shape, *extra), variable.dtype)
                if key in values:
                    columns[key] = values[key][unit.region]
            return columns

        run_units.march(loaded.sweep, target, Shard(), solve=numbers)
        return loaded, path

    return make
