"""The command line: `pattern-selection <command>`.

JAX is imported inside commands only, so that `--help` is quick. Built on `argparse`
rather than a library on top of it, because an error has to be one line.
"""

import argparse
import importlib
import os
import re
import sys

from experiments import compiling, interrupts
from experiments.errors import UserError

COMMANDS = {
    "run": "one base model and one recipe: what happens, and when",
    "train": "one recipe on sampled groups, many seeds",
    "sweep": "a grid of base models and recipes, into one labelled store",
    "phase-diagram": "where training takes off, stalls or degrades, over two axes",
    "verify": "check statements on many random problems",
    "falsify": "search for the base model that breaks a claim",
    "reproduce": "all checks and all figures of the paper's results",
    "figures": "draw the figures again from saved data",
}


class _Parser(argparse.ArgumentParser):
    def __init__(self, *args, **kwargs):
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)
        # The default pattern does not know exponents: -1e-3 is a number here.
        self._negative_number_matcher = re.compile(
            r"^-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$|^-inf$|^-nan$"
        )

    def error(self, message):
        raise UserError(f"{message} (see {self.prog} --help)")


def build_parser(argv: list[str]) -> argparse.ArgumentParser:
    """The parser with all commands, and the options of the one that is called."""
    parser = _Parser(
        prog="pattern-selection",
        description="Dynamics of RL post-training as selection among reasoning "
        "patterns.",
    )
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    called = next((word for word in argv if word in COMMANDS), None)
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary + ".")
        if name != called:
            continue
        module = importlib.import_module(f"experiments.{name.replace('-', '_')}")
        module.add_arguments(sub)
        sub.add_argument("--seed", type=int, help="default 0")
        sub.add_argument(
            "--precision",
            choices=["float64", "float32"],
            default="float64",
            help="default float64",
        )
        sub.add_argument("--json", metavar="FILE", help="machine-readable; - is stdout")
        sub.set_defaults(main=module.main)
    return parser


def _has_devices() -> bool:
    import jax

    try:
        return bool(jax.local_devices())
    except (RuntimeError, AssertionError):  # as JAX says it, by platform
        return False


def main(argv: list[str] | None = None) -> int:
    """Run a command. Exit code 0: fine; 1: a check failed; 2: bad input."""
    try:
        argv = sys.argv[1:] if argv is None else argv
        args, unknown = build_parser(argv).parse_known_args(argv)
        if unknown:
            words = " ".join(unknown)
            raise UserError(
                f"unrecognized arguments: {words} (see pattern-selection "
                f"{args.command} --help)"
            )
        args.seed_given = args.seed is not None
        args.seed = args.seed or 0
        if not 0 <= args.seed < 2**63:
            raise UserError(f"--seed {args.seed}: give 0 to 2^63 - 1.")
        compiling.prepare(args.command)
        with interrupts.kept():
            with interrupts.wait():
                import jax

            jax.config.update("jax_enable_x64", args.precision == "float64")
            code = args.main(args)
            if sys.stdout is not None:  # it may have been closed
                sys.stdout.flush()
            return code
    except (UserError, ValueError) as error:
        message = " ".join(str(error).split())
        print(f"error: {message}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.filename is None:  # what is printed has no name; no more of it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 0
        where = error.filename or "the output"
        print(f"error: {where}: {error.strerror}.", file=sys.stderr)
        return 2
    except (RuntimeError, AssertionError):
        if _has_devices():
            raise
        wanted = os.environ.get("JAX_PLATFORMS", "")
        print(
            f"error: JAX cannot start JAX_PLATFORMS={wanted!r}; install it, or unset "
            "the variable.",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
