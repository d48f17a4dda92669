"""Training recipes as TOML files: see `experiments/tables.py` for how they are written.

group_size = 16
estimator = "rloo"
feedback = {name = "verifier", false_positive = 0.1}
"""

from pathlib import Path

from experiments import tables, toml_files
from experiments.errors import UserError

FOLDER = Path(__file__).parent / "recipes"


def names() -> dict[str, str]:
    """The recipes that come with the program, with what they are."""
    return toml_files.described(FOLDER)


def load(name: str):
    """The recipe of a file, or of the name of one that comes with the program.

    Raises `UserError` with the file, the key and what is allowed.
    """
    path = FOLDER / f"{name}.toml" if name in names() else Path(name)
    advice = f"give a TOML file or one of {', '.join(names())}"
    text = toml_files.read(path, advice)
    try:
        return loads(text)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def loads(text: str):
    """The recipe written in TOML."""
    from simulator import rollouts

    return tables.decode(rollouts.Recipe, toml_files.parse(text), "recipe")


def dumps(recipe) -> str:
    """The recipe as TOML; `loads` gives an equal one.

    Raises `UserError` for an optimizer that is not given by name, or has options that
    TOML cannot hold.
    """
    import tomli_w

    try:
        return tomli_w.dumps(tables.encode_fields(recipe))
    except TypeError as error:
        raise UserError(f"the recipe cannot be written as TOML: {error}") from None
