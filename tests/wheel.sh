#!/bin/sh
# Build the wheel, install it in a fresh environment, and use it outside of this folder.
#   tests/wheel.sh PYTHON               with the newest packages that pip resolves
#   tests/wheel.sh PYTHON LOCKED        with those of a requirements file
set -eu
cd "$(dirname "$0")/.."
repository=$PWD
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
unset PYTHONPATH

"$1" -m venv "$place/venv"
pip="$place/venv/bin/python -m pip --disable-pip-version-check"
$pip wheel --quiet --no-deps --wheel-dir "$place" .
if [ $# -gt 1 ]; then
    $pip install --quiet --no-deps --requirement "$2"
    $pip install --quiet --no-deps "$place"/*.whl
else
    $pip install --quiet "$(ls "$place"/*.whl)[explore]"
fi
$pip check

mkdir "$place/elsewhere"
cd "$place/elsewhere"
use() {
    echo "+ pattern-selection $*"
    "$place/venv/bin/pattern-selection" "$@"
}
use run --success-rates 0.9 0.6 0.1 --policy 0.05 0.70 0.25 --until gap=1e-3
use train --recipe grpo --success-rates 0.9 0.6 0.1 --policy 0.05 0.70 0.25
use verify A2 --problems 64
use phase-diagram quality --quick --out drawn
use figures --out drawn
use figures hull phase_noise --out shipped
test -s shipped/hull.svg
use explain A3
test -s drawn/phase_quality.svg
"$place/venv/bin/pattern-selection" explore --no-browser > address &
until test -s address; do sleep 0.2; done
"$place/venv/bin/python" - "$(tail -1 address)" <<'PAGE'
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1] + "app.js") as script:
    assert b"import" in script.read()
PAGE
kill $!
"$place/venv/bin/python" - "$repository" <<'CHECK'
import sys
import experiments, jax, numpy, simulator
assert not simulator.__file__.startswith(sys.argv[1]), simulator.__file__
print(f"the wheel works: Python {sys.version.split()[0]}, JAX {jax.__version__}, "
      f"NumPy {numpy.__version__}")
CHECK
