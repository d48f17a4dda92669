"""Files are small: one idea each."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 350  # lines


@pytest.mark.parametrize("package", ["simulator", "theory", "experiments"])
def test_no_file_of_a_package_is_long(package):
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines())
        for path in (ROOT / package).rglob("*.py")
    }
    assert len(lengths) > 20
    assert not {name: n for name, n in lengths.items() if n > LONGEST}
