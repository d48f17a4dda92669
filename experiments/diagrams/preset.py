"""The diagrams that come along, and what the files of a diagram are called."""

from pathlib import Path

from experiments.text import toml

FOLDER = Path(__file__).parent / "presets"


def names() -> dict[str, str]:
    """The presets, with what they are."""
    return toml.described(FOLDER)


def file_name(given: str) -> str:
    """The name of the files of a diagram, for a preset or a sweep file."""
    stem = given if given in names() else Path(given).stem
    return f"phase_{stem.replace('-', '_')}"
