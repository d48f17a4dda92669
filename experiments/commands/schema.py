"""`pattern-selection schema`: what may stand in a TOML file, for editors."""

import argparse

from experiments.runtime.output import check_writable_file, write_json

EXAMPLE = """Editors that know TOML (Even Better TOML, taplo) complete and check a file
whose first line names its schema:

  pattern-selection schema sweep --json sweep.schema.json
  #:schema ./sweep.schema.json         (the first line of the sweep file)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `schema`."""
    parser.epilog = EXAMPLE
    parser.add_argument("kind", choices=["sweep", "recipe"], help="of which files")


def main(args: argparse.Namespace) -> int:
    """Print the schema, or write it with `--json`."""
    from experiments.sweeps import schema as of_sweeps
    from experiments.text import schema as of_parts

    check_writable_file(args.json)
    found = of_sweeps.sweep() if args.kind == "sweep" else of_parts.recipe()
    write_json(found, args.json or "-")
    return 0
