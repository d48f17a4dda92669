"""The project's own figures, in a clone and in an installed wheel."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def figures() -> Path:
    """The folder with the `data` of all figures as they were last computed."""
    installed = PACKAGE / "figures"
    return installed if installed.is_dir() else PACKAGE.parent / "figures"
