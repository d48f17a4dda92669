"""Schemas and completion know what the commands know."""

import contextlib
import io
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

from experiments import cli
from experiments.sweeps import sweep_file
from experiments.text import recipes
from experiments.text.errors import UserError

ROOT = Path(__file__).parents[3]
FILES = [
    *(ROOT / "experiments" / "diagrams" / "presets").glob("*.toml"),
    *(ROOT / "experiments" / "recipes").glob("*.toml"),
]


@pytest.fixture(scope="module")
def schemas():
    found = {}
    for kind in ("sweep", "recipe"):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert cli.main(["schema", kind]) == 0
        schema = json.loads(out.getvalue())
        jsonschema.Draft202012Validator.check_schema(schema)
        found[kind] = jsonschema.Draft202012Validator(schema)
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_files_that_come_with_the_program_are_right(file, schemas):
    kind = "recipe" if file.parent.name == "recipes" else "sweep"
    schemas[kind].validate(tomllib.loads(file.read_text()))


RIGHT = [
    'signal = [{name = "verifiable", weight = "rest"}, {name = "self-certainty", '
    "weight = 0.3}]\n[axes]\nbeta = {loguniform = [0.1, 1, 5]}\nmodel.gap = [0.1]",
    'model = {family = "random", patterns = 4, temperature = 2}\n'
    'record = ["pass_at_8"]\n[axes]\ndraw = {count = 3}\nupdate = ["grpo"]\n'
    '[reduce]\nover = ["draw"]\nstatistics = ["mean", "q05"]',
    "model = {success_rates = [0.9, 0.1], policy = [0.5, 0.5]}\n[axes]\n"
    "temperature = [1, 2]",
    "recipe = {group_size = 4, estimator = {name = 'grpo', spread = 'sample'}}\n"
    "[axes]\nseed = {count = 2}",
]
WRONG = [
    "axis = {gap = [0.1]}",
    'update = "grpoo"\n[axes]\ngap = [0.1]',
    'method = "best"\n[axes]\ngap = [0.1]',
    'record = ["acuracy"]\n[axes]\ngap = [0.1]',
    "[axes]\ngap = {linspce = [0, 1, 5]}",
    'model = {family = "rival", gap = 1.5}\n[axes]\nbest_probability = [0.1]',
    'model = {family = "rivals"}\n[axes]\ngap = [0.1]',
    'update = {name = "grpo", spread = "both"}\n[axes]\ngap = [0.1]',
    "recipe = {group_sise = 4}\n[axes]\nseed = {count = 2}",
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_can_be_read_is_right(text, schemas):
    table = tomllib.loads(text)
    sweep_file.read(table)
    schemas["sweep"].validate(table)


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_read_is_wrong(text, schemas):
    table = tomllib.loads(text)
    with pytest.raises(UserError):
        sweep_file.read(table)
    assert list(schemas["sweep"].iter_errors(table))


def test_a_wrong_recipe_is_wrong(schemas):
    text = 'penalties = [{name = "kl-loss4", weight = 0.1}]'
    with pytest.raises(UserError):
        recipes.loads(text)
    assert list(schemas["recipe"].iter_errors(tomllib.loads(text)))


def undescribed(schema, path=()):
    """The keys that a schema knows and says nothing of, wherever they are."""
    if isinstance(schema, list):
        for inner in schema:
            yield from undescribed(inner, path)
    if not isinstance(schema, dict):
        return
    for name, inner in schema.items():
        if name not in ("properties", "$defs"):
            yield from undescribed(inner, path)
            continue
        for key, of in inner.items():
            # The name of a part says what it is.
            named = (
                name == "$defs" or "const" in of or of.get("description", "").strip()
            )
            if not named:
                yield ".".join((*path, key))
            yield from undescribed(of, (*path, key))


@pytest.mark.parametrize("kind", ["sweep", "recipe"])
def test_every_field_has_a_description(kind, schemas):
    assert list(undescribed(schemas[kind].schema)) == []


def test_the_schema_knows_what_a_figure_takes():
    from experiments.diagrams import diagram
    from experiments.sweeps import schema

    assert set(schema.FIGURE) == set(diagram.KEYS)


def test_parameters_say_what_they_are(schemas):
    signals = schemas["sweep"].schema["$defs"]["AbstractSignal"]["anyOf"]
    noisy = next(
        one["properties"]
        for one in signals
        if one.get("properties", {}).get("name") == {"const": "noisy-verifier"}
    )
    assert noisy["false_positive"]["description"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_and_options(tmp_path):
    script = tmp_path / "completion.sh"
    with script.open("w") as file, contextlib.redirect_stdout(file):
        assert cli.main(["completion", "bash"]) == 0
    ask = (
        f"source {script}; COMP_CWORD=$1; shift; COMP_WORDS=(pattern-selection $@); "
        '_shtab_pattern_selection; echo "${COMPREPLY[@]}"'
    )

    def completed(place, *words):
        command = ["bash", "-c", ask, "bash", str(place), *words]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.stdout.split()

    assert set(completed(1, "re")) == {"recipe", "reproduce", "rerun"}
    assert completed(2, "train", "--save") == ["--save-every"]
    assert completed(3, "run", "--method", "ex") == ["exact"]


def test_without_shtab_it_is_said_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert cli.main(["completion", "zsh"]) == 2
    assert "pattern-selection[completion]" in capsys.readouterr().err
