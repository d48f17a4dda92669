"""The settings on a command line in a text or shell file.

Understood: lines joined by a backslash, `#` comment lines, `NAME=VALUE` lines,
`NAME=( ... )` lists and their use as `$NAME`, `${NAME}`, `${NAME:-DEFAULT}` and
`${NAME[@]}`. A variable that is not set stays as it is written.
"""

import re
import shlex
from typing import Any

import yaml

from experiments.text.errors import UserError

# What a command line of the trainer has as one of its words.
CALLS = {
    "verl": re.compile(r"(verl\.|recipe\.|verl/|recipe/)[\w./]*main_\w+(\.py)?$"),
    "openrlhf": re.compile(r"(.*[./])?cli[./]train_ppo(_ray)?(\.py)?$"),
}
ENDS = "|", "||", "&&", ";", "&", ">", ">>", "2>&1"
VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))")
LIST = re.compile(r"^[ \t]*(\w+)=\(\s*$(.*?)^[ \t]*\)", re.MULTILINE | re.DOTALL)
ASSIGNED = re.compile(r"(?:export[ \t]+)?([A-Za-z_]\w*)=(\S*|\"[^\"]*\"|'[^']*')\s*$")
OVERRIDE = re.compile(r"\+{0,2}([A-Za-z_][\w.@/]*)=(.*)", re.DOTALL)


def words(text: str) -> dict[str, list[str]]:
    """The words after the trainer's name in its call, by trainer.

    Raises `UserError` for a quote that does not end, and for several calls.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    kept = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    lists = {m[1]: m[2] for m in LIST.finditer(kept)}
    joined = re.sub(r"[ \t]*\\[ \t]*\n", " ", LIST.sub("", kept))
    known: dict[str, str] = {}
    found: dict[str, list[str]] = {}
    for line in joined.split("\n"):
        assigned = ASSIGNED.match(line.strip())
        if assigned:
            known[assigned[1]] = _expanded(assigned[2].strip("\"'"), known)
            continue
        whole = re.sub(
            r"\"?\$\{(\w+)\[@\]\}\"?",
            lambda m: " ".join(lists.get(m[1], "").split("\n")),
            line,
        )
        if not any(_calls(word) for word in whole.split()):
            continue
        for trainer, rest in _call(_expanded(whole, known)).items():
            if trainer in found:
                raise UserError(f"several calls of {trainer}; keep one of them.")
            found[trainer] = rest
    return found


def _expanded(text: str, known: dict[str, str]) -> str:
    def value(match: re.Match) -> str:
        name = match[1] or match[3]
        return known.get(name, match[2] if match[2] is not None else match[0])

    return VARIABLE.sub(value, text)


def _calls(word: str) -> str | None:
    return next((name for name, form in CALLS.items() if form.match(word)), None)


def _call(line: str) -> dict[str, list[str]]:
    try:
        split = shlex.split(line)
    except ValueError:
        raise UserError("a quote on its command line does not end.") from None
    at = next((i for i, word in enumerate(split) if _calls(word)), None)
    if at is None:
        return {}
    rest = split[at + 1 :]
    end = next((i for i, word in enumerate(rest) if word in ENDS), len(rest))
    return {_calls(split[at]) or "": rest[:end]}


def overrides(given: list[str]) -> dict[str, Any]:
    """Hydra's `key=value`, `+key=value`, `++key=value`; other words are left out."""
    found = {}
    for word in given:
        match = OVERRIDE.fullmatch(word)
        if match:
            found[match[1]] = scalar(match[2])
    return found


def options(given: list[str]) -> dict[str, Any]:
    """`--name`, `--name value`, `--name value value` and `--name=value`."""
    found: dict[str, list[str]] = {}
    name = ""
    for word in given:
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            found[name] = [value] if equals else []
        elif name:
            found[name].append(word)
    return {
        key: True
        if not values
        else scalar(values[0])
        if len(values) == 1
        else [scalar(value) for value in values]
        for key, values in found.items()
    }


def scalar(text: str) -> Any:
    """A value as YAML reads it; a text where it is none."""
    try:
        value = yaml.safe_load(text) if len(text) < 1000 else text
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
    return value if isinstance(value, bool | int | float | list | type(None)) else text
