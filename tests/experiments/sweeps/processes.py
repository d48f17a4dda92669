"""`pattern-selection sweep` in processes of their own."""

import os
import subprocess
import sys

from tests.experiments.heeding import HEEDING

COMMAND = HEEDING + "from experiments.cli import main\nraise SystemExit(main())"


def process(*words, devices=2):
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "sweep", *map(str, words)],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": str(devices)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(child):
    out, err = child.communicate(timeout=200)
    return child.returncode, out, err


UNITS = 60  # of the fixture `many_units`
