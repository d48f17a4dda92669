"""`python -m experiments`: the command line."""

import sys

from experiments import cli

sys.exit(cli.main())
