"""Training recipes as TOML files, as `experiments.text.objects` says:

group_size = 16
estimator = "rloo"
feedback = {name = "verifier", false_positive = 0.1}
"""

from pathlib import Path

from experiments.text import objects, toml
from experiments.text.errors import UserError, choose_from

FOLDER = Path(__file__).parents[1] / "recipes"


def names() -> dict[str, str]:
    """The recipes that come with the program, with what they are."""
    return toml.described(FOLDER)


def load(name: str):
    """The recipe of a file, or of the name of one that comes with the program.

    Raises `UserError` with the file, the key and what is allowed.
    """
    path = FOLDER / f"{name}.toml" if name in names() else Path(name)
    advice = f"{choose_from(name, names())}, or give a TOML file"
    text = toml.read(path, advice)
    try:
        return loads(text)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def loads(text: str):
    """The recipe written in TOML."""
    from simulator import rollouts

    return objects.decode(rollouts.Recipe, toml.parse(text), "recipe")


def dumps(recipe) -> str:
    """The recipe as TOML; `loads` gives an equal one.

    Raises `UserError` for an optimizer that is not given by name, or has options that
    TOML cannot hold.
    """
    import tomli_w

    try:
        return tomli_w.dumps(objects.encode_fields(recipe))
    except TypeError as error:
        raise UserError(f"the recipe cannot be written as TOML: {error}") from None
