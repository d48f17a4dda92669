"""The settings of a configuration, and what became of each of them in the recipe."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.imports.versions import Version
from experiments.text.errors import UserError, choose_from
from experiments.text.objects import brief

TAKEN = "taken over"
APPROXIMATED = "approximated"
NONE = "no counterpart"


@dataclass(frozen=True)
class Verdict:
    """What became of one setting: `field = to` of the recipe, or why nothing did.

    `given` is False for a default of the trainer's version.
    """

    setting: str
    value: Any
    verdict: str
    field: str
    to: Any
    why: str
    given: bool


class Settings:
    """Settings by name, with a version's defaults for those that are left out.

    `number`, `whole`, `flag`, `word` read a setting and raise `UserError`, with its
    name and what is allowed, for a value of the wrong kind. `taken`, `approximated` and
    `without` note its verdict; the last note of a setting counts.
    """

    def __init__(self, version: Version, given: Mapping[str, Any]):
        self.version = version
        self.given = dict(given)
        self._notes: dict[str, Verdict] = {}

    def value(self, name: str) -> Any:
        """The value as it stands in the file, else the default."""
        return self.given[name] if name in self.given else self.version.defaults[name]

    def changed(self, name: str) -> bool:
        """Whether it is given."""
        return name in self.given

    def number(self, name: str, low: float = -math.inf, high: float = math.inf):
        """A number between `low` and `high`, both allowed."""
        return self._number(name, self.value(name), low, high)

    def optional_number(self, name: str, low: float = -math.inf):
        """A number, or None where it is switched off."""
        return None if self.value(name) is None else self.number(name, low)

    def pair(self, name: str) -> tuple[float, float]:
        """Two numbers."""
        value = self.value(name)
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise UserError(f"{name} = {brief(value)}; give two numbers.")
        first, second = (self._number(name, item) for item in value)
        return first, second

    def whole(self, name: str, low: int) -> int:
        """A whole number from `low` on."""
        number = self.number(name, low)
        if number != int(number):
            raise UserError(f"{name} = {number:g}; give a whole number.")
        return int(number)

    def flag(self, name: str) -> bool:
        """True or false, also as a word."""
        value = self.value(name)
        known = {"true": True, "false": False}
        found = known.get(str(value).lower())
        if found is None:
            raise UserError(f"{name} = {brief(value)}; give true or false.")
        return found

    def word(self, name: str) -> str:
        """A name."""
        value = self.value(name)
        if not isinstance(value, str):
            raise UserError(f"{name} = {brief(value)}; give a name.")
        return value

    def choice(self, name: str, known: Mapping[str, Any]) -> Any:
        """The value in `known` of the name that is given."""
        word = self.word(name)
        if word not in known:
            raise UserError(
                f"{name} = {brief(word)} is unknown; {choose_from(word, known)}."
            )
        return known[word]

    def _number(self, name, value, low=-math.inf, high=math.inf) -> float:
        try:  # YAML reads 1e-6 as a text
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise ValueError
            number = float(value)
        except (ValueError, OverflowError):
            hint = " (the file does not set that variable)" if "$" in str(value) else ""
            raise UserError(f"{name} = {brief(value)}{hint}; give a number.") from None
        if not (math.isfinite(number) and low <= number <= high):
            limits = f"from {low:g}" + (f" to {high:g}" if high < math.inf else " on")
            allowed = "a finite number" if low == -math.inf else f"a number {limits}"
            raise UserError(f"{name} = {number:g}; give {allowed}.")
        return number

    def taken(self, name: str, field: str, to: Any, why: str = "") -> None:
        """It is in the recipe as it was meant."""
        self._note(name, TAKEN, field, to, why)

    def approximated(self, name: str, field: str, to: Any, why: str) -> None:
        """It is in the recipe, with a difference."""
        self._note(name, APPROXIMATED, field, to, why)

    def without(self, name: str, why: str) -> None:
        """The recipe has nothing for it."""
        self._note(name, NONE, "", None, why)

    def _note(self, name, verdict, field, to, why) -> None:
        self._notes[name] = Verdict(
            name, self.value(name), verdict, field, to, why, name in self.given
        )

    def rest(self) -> list[str]:
        """Given settings that have no verdict yet."""
        return [name for name in self.given if name not in self._notes]

    def verdicts(self) -> list[Verdict]:
        """All notes: given ones first, each kind together, defaults last."""
        order = [TAKEN, APPROXIMATED, NONE]
        return sorted(
            self._notes.values(), key=lambda v: (not v.given, order.index(v.verdict))
        )
