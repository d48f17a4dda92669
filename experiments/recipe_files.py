"""Training recipes as TOML files: see `experiments/tables.py` for how they are written.

group_size = 16
estimator = "rloo"
feedback = {name = "verifier", false_positive = 0.1}
"""

import tomllib
from pathlib import Path

from experiments import tables
from experiments.errors import UserError

FOLDER = Path(__file__).parent / "recipes"


def names() -> dict[str, str]:
    """The recipes that come with the program, with what they are."""
    found = {}
    for path in sorted(FOLDER.glob("*.toml")):
        first = path.read_text(encoding="utf-8").split("\n", 1)[0]
        found[path.stem] = first.lstrip("# ")
    return found


def load(name: str):
    """The recipe of a file, or of the name of one that comes with the program.

    Raises `UserError` with the file, the key and what is allowed.
    """
    path = FOLDER / f"{name}.toml" if name in names() else Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise UserError(
            f"--recipe {name}: cannot read {path} ({reason}); give a TOML file or one "
            f"of {', '.join(names())}."
        ) from None
    try:
        return loads(text)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def loads(text: str):
    """The recipe written in TOML."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"not TOML: {error}.") from None
    from simulator import rollouts

    return tables.decode(rollouts.Recipe, table, "recipe")


def dumps(recipe) -> str:
    """The recipe as TOML; `loads` gives an equal one."""
    import tomli_w

    return tomli_w.dumps(tables.encode_fields(recipe))
