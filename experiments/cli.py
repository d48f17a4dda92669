"""The command line: `pattern-selection <command>`.

JAX is imported inside commands only, so that `--help` is quick. Built on `argparse`
rather than a library on top of it, because an error has to be one line.
"""

import argparse
import contextlib
import importlib
import os
import re
import sys
from collections.abc import Collection
from importlib.metadata import version

from experiments.runtime import compiling, interrupts
from experiments.text.errors import UserError, choose_from

COMMANDS = {
    "run": "follow one base model under one update: times, leaders, accuracy",
    "train": "train on sampled groups, with many seeds",
    "sweep": "solve a grid of base models and recipes into one labelled store",
    "phase-diagram": "draw where training takes off, stalls or degrades, over two axes",
    "verify": "check all claims on random problems",
    "explain": "words, formula, proof, checks and picture of a statement",
    "falsify": "search for the base model that breaks a claim",
    "reproduce": "check theorems and draw their figures",
    "gallery": "related papers as experiments of this model, each with a verdict",
    "explore": "a page on which you drag the base model and see what training does",
    "recipe": "the configuration of TRL, verl or OpenRLHF as a recipe of train",
    "rerun": "repeat a result file and say whether every bit is the same",
    "schema": "the JSON Schema of sweep and recipe files, for editors",
    "completion": "a script by which bash, zsh or tcsh completes these commands",
    "figures": "draw the figures again from saved data",
}

# By these variables of the environment users choose the devices of JAX.
DEVICES = ("JAX_PLATFORMS", "JAX_NUM_CPU_DEVICES")


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
        wrong = re.match(r"argument command: invalid choice: '(.*?)'", message)
        if wrong:
            given = wrong[1]
            message = f"{given!r} is no command; {choose_from(given, COMMANDS)}"
        raise UserError(f"{message} (see {self.prog} --help)")


def build_parser(called: Collection[str]) -> argparse.ArgumentParser:
    """The parser with all commands, and the options of those that are `called`."""
    parser = _Parser(
        prog="pattern-selection",
        description="Dynamics of RL post-training as selection among reasoning "
        "patterns.",
    )
    parser.add_argument("--version", action="store_true", help="say it and stop")
    commands = parser.add_subparsers(dest="command", metavar="command")
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary + ".")
        if name not in called:
            continue
        module = importlib.import_module(
            f"experiments.commands.{name.replace('-', '_')}"
        )
        module.add_arguments(sub)
        sub.add_argument(
            "--seed", type=int, metavar="N", help="random seed (default 0)"
        )
        sub.add_argument(
            "--precision",
            choices=["float64", "float32"],
            default="float64",
            help="floating point numbers (default float64)",
        )
        sub.add_argument(
            "--json", metavar="FILE", help="write the result as JSON; - is stdout"
        )
        loudness = sub.add_mutually_exclusive_group()
        loudness.add_argument(
            "-q", "--quiet", action="store_true", help="no progress on stderr"
        )
        loudness.add_argument(
            "-v", "--verbose", action="store_true", help="say what was compiled"
        )
        sub.set_defaults(main=module.main)
    return parser


def _check_number_of_devices() -> None:
    """Raise `UserError` for one with which JAX cannot start."""
    given = os.environ.get("JAX_NUM_CPU_DEVICES", "1")
    try:
        wrong = int(given) == 0  # a negative one is JAX's "not set"
    except ValueError:
        wrong = True
    if wrong:
        raise UserError(
            f"the environment has JAX_NUM_CPU_DEVICES={given!r}; give a whole number "
            "from 1 on, or unset it."
        )


def _has_devices() -> bool:
    import jax

    try:
        return bool(jax.local_devices())
    except (RuntimeError, AssertionError):  # as JAX says it, by platform
        return False


class _Output:
    """The standard output, whose errors say that they are its own."""

    name = "the output"

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, attribute):
        return getattr(self._stream, attribute)

    def write(self, text):
        with self._named():
            return self._stream.write(text)

    def flush(self):
        with self._named():
            self._stream.flush()

    @contextlib.contextmanager
    def _named(self):
        try:
            yield
        except OSError as error:
            error.filename = self.name
            # What is left in the buffer would fail again at the end of the process.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            raise


def _refused(error: OSError) -> int:
    """Say what the system did not allow, and of which file; the exit code."""
    if isinstance(error, BrokenPipeError) and error.filename == _Output.name:
        return 0  # nobody reads on
    name = error.filename or "the system refused"  # to start a process, for example
    print(f"error: {name}: {error.strerror or error}.", file=sys.stderr)
    return 2


def main(argv: list[str] | None = None) -> int:
    """Run a command. Exit code 0: fine; 1: a check failed; 2: bad input."""
    devices = [f"{name}={os.environ[name]!r}" for name in DEVICES if name in os.environ]
    try:
        argv = sys.argv[1:] if argv is None else argv
        parser = build_parser([word for word in argv if word in COMMANDS][:1])
        args, unknown = parser.parse_known_args(argv)
        if unknown:
            called = " ".join(filter(None, [parser.prog, args.command]))
            raise UserError(
                f"unrecognized arguments: {' '.join(unknown)} (see {called} --help)"
            )
        if args.version:
            print(f"pattern-selection {version('pattern-selection')}")
            return 0
        if args.command is None:
            parser.print_help()
            return 0
        args.seed_given = args.seed is not None
        args.seed = args.seed or 0
        if not 0 <= args.seed < 2**63:
            raise UserError(f"--seed {args.seed}: give 0 to 2^63 - 1.")
        _check_number_of_devices()
        compiling.prepare(args.command)
        with interrupts.wait():
            import jax

            from experiments.runtime import notice, progress

        jax.config.update("jax_enable_x64", args.precision == "float64")
        progress.set_quiet(args.quiet)
        notice.of_compiling(args.verbose)
        if sys.stdout is None:  # it was closed
            return args.main(args)
        with contextlib.redirect_stdout(_Output(sys.stdout)):
            code = args.main(args)
            sys.stdout.flush()
        return code
    except (UserError, ValueError) as error:
        message = " ".join(str(error).split())
        print(f"error: {message}", file=sys.stderr)
        return 2
    except OSError as error:
        return _refused(error)
    except (RuntimeError, AssertionError) as error:
        if not devices or _has_devices():
            raise
        reason = str(error).split("\n")[0] or type(error).__name__
        print(
            f"error: JAX cannot start with {', '.join(devices)} ({reason}); install "
            "what is named there, or unset it.",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
