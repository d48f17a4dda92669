"""`pattern-selection explain`: what a statement says, how it is known, how it is drawn.

All of it is read from where it is kept: `theory` (words, formulas, proofs), the checks,
the data of the last `reproduce --all`, the pictures. JAX does not start.
"""

import argparse
import ast
import dataclasses
import functools
import textwrap
from pathlib import Path
from typing import Any

from experiments.runtime.output import check_writable_file, write_json
from experiments.text.errors import UserError, choose_from

WIDTH = 88
CHECKS = Path(__file__).parents[1] / "checks"
PAPER = (
    "The paper says (as a note of its ICLR version reports it; the full text was not "
    "at hand), and we find"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `explain`."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="statements (A3) or single claims (A3.law); default: a list of them",
    )
    parser.add_argument(
        "--symbol",
        nargs="?",
        const="",
        metavar="NAME",
        help="the meaning of a symbol, as in gamma or T0; without a name, of all; "
        "--json has them too",
    )


def statements_table() -> str:
    """A row for each statement: title, and its claims by status."""
    import theory

    rows = [f"{'id':<4} {'claims':>6}  {'proved':>6}  title"]
    for statement in theory.STATEMENTS.values():
        proved = sum(claim.status == "proved" for claim in statement.claims)
        number = len(statement.claims)
        rows.append(f"{statement.id:<4} {number:>6}  {proved:>6}  {statement.title}")
    return "\n".join([*rows, "", "pattern-selection explain ID says more of one."])


@functools.cache
def margins() -> dict[str, dict[str, Any]]:
    """For each claim: problems, violations and worst margin of `reproduce --all`.

    Empty where the figures of the project are not there.
    """
    from experiments.commands.figures import saved_data, source
    from experiments.runtime import shipped

    path = source("tightness", shipped.figures())
    if not path.exists():
        return {}
    data, _ = saved_data(path)
    return {
        str(name): {
            "problems": int(data["problems"][i]),
            "violations": int(data["violations"][i]),
            "worst_margin": float(data["quantiles"][i][0]),
        }
        for i, name in enumerate(data["claim"])
    }


def pictures(id: str) -> list[str]:
    """The figures that show a statement."""
    from experiments.pictures import NAMES, picture

    return [name for name in NAMES if id in picture(name).SHOWS]


def described(id: str) -> dict[str, Any]:
    """All that is known of a statement."""
    import theory

    statement = theory.STATEMENTS[id]
    module = theory.MODULES[id]
    stem = module.__name__.rpartition(".")[2]
    checked = margins()
    claims = [
        {
            "id": claim.id,
            "status": claim.status,
            "words": claim.words,
            "formula": claim.formula,
            "last_check": checked.get(claim.id),
        }
        for claim in statement.claims
    ]
    return {
        "id": id,
        "title": statement.title,
        "words": statement.words,
        "formula": statement.formula,
        "hypotheses": statement.assumptions,
        "source": statement.source,
        "proof": statement.proof,
        "findings": [dataclasses.asdict(finding) for finding in statement.findings],
        "claims": claims,
        "module": f"theory/{stem}.py",
        "check": f"experiments/checks/{stem}.py",
        "checked_how": _docstring(stem, "check"),
        "figures": pictures(id),
        "text": module.__doc__,
    }


def _docstring(stem: str, function: str) -> str:
    """Of a function of a check, read without importing it, which would start JAX."""
    tree = ast.parse((CHECKS / f"{stem}.py").read_text(encoding="utf-8"))
    (found,) = (
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == function
    )
    return " ".join((ast.get_docstring(found) or "").split())


def text(about: dict[str, Any]) -> str:
    """`described`, for reading."""
    lines = [f"{about['id']}  {about['title']}", ""]
    for name in ("words", "formula", "hypotheses", "source"):
        lines += _entry(name, about[name])
    if about["findings"]:
        lines += ["", *_wrapped(f"{PAPER}:")]
    for finding in about["findings"]:
        lines += ["", *_entry("reported", finding["reported"])]
        lines += _entry("we find", finding["found"])
        evidence = ", ".join(finding["evidence"])
        lines += _entry("status", f"{finding['verdict']} ({evidence})")
    lines += ["", "Claims"]
    for claim in about["claims"]:
        lines += _claim(claim)
    lines += ["", "How it is checked"]
    lines += _entry("command", f"pattern-selection verify {about['id']}")
    lines += _entry("check", f"{about['check']}: {about['checked_how']}")
    for name in about["figures"]:
        lines += _entry(
            "figure", f"figures/{name}.svg (pattern-selection reproduce {name})"
        )
    lines += ["", f"From {about['module']}, with the proof", ""]
    return "\n".join([*lines, about["text"].strip()])


def _entry(name: str, words: str) -> list[str]:
    return _wrapped(words, f"{name:<12}", " " * 12)


def _wrapped(words: str, first: str = "", others: str = "") -> list[str]:
    return textwrap.wrap(
        words,
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_on_hyphens=False,
    )


def _claim(claim: dict[str, Any]) -> list[str]:
    last = claim["last_check"]
    checked = "no record of a check here"
    if last:
        checked = (
            f"last check: {last['problems']:,} problems, {last['violations']} "
            f"violations, worst margin {last['worst_margin']:.2g}"
        )
    lines = ["", f"{claim['id']}, {claim['status']}; {checked}"]
    for words in (claim["words"], claim["formula"]):
        lines += _wrapped(words, "    ", "    ")
    return lines


def symbols(name: str) -> list[Any]:
    """A symbol, or all of them. Raises `UserError` for one that is not known."""
    import theory

    known = theory.symbols.SYMBOLS
    if name and name not in known:
        near = next((symbol for symbol in known if symbol.lower() == name.lower()), "")
        if not near:
            raise UserError(f"--symbol {name} is unknown; {choose_from(name, known)}.")
        name = near
    return [known[name]] if name else list(known.values())


def symbols_text(shown: list[Any]) -> str:
    """Symbols, for reading."""
    lines = []
    for symbol in shown:
        of = ", ".join(symbol.statements)
        words = f"{symbol.words} ({of})" if of else symbol.words
        lines += _entry(symbol.name, words)
        if symbol.formula:
            lines += _entry("", symbol.formula)
    return "\n".join(lines)


def main(args: argparse.Namespace) -> int:
    """Print what is asked for."""
    import theory

    check_writable_file(args.json)
    claims = {
        claim.id: statement.id
        for statement in theory.STATEMENTS.values()
        for claim in statement.claims
    }
    for name in args.names:
        if name not in theory.STATEMENTS and name not in claims:
            if name in theory.symbols.SYMBOLS:
                raise UserError(f"{name} is a symbol; give --symbol {name}.")
            whole = name.partition(".")[0]
            of_it = [claim for claim, statement in claims.items() if statement == whole]
            known = of_it or theory.STATEMENTS
            raise UserError(f"{name} is unknown; {choose_from(name, known)}.")
    found: list[dict[str, Any]] = []
    texts: list[str] = []
    for name in args.names:
        about = described(claims.get(name, name))
        if name in claims:
            about = next(claim for claim in about["claims"] if claim["id"] == name)
            texts.append("\n".join(_claim(about)).strip())
        else:
            texts.append(text(about))
        found.append(about)
    if args.symbol is not None:
        asked = symbols(args.symbol)
        texts.append(symbols_text(asked))
        found += [dataclasses.asdict(symbol) for symbol in asked]
    if args.json != "-":
        print("\n\n".join(texts) if texts else statements_table())
    if args.json is not None:
        write_json(found or [described(id) for id in theory.STATEMENTS], args.json)
    return 0
