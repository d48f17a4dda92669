"""The tables of defaults are those of the released packages, where they are installed.

The sources are parsed, not imported: the trainers need much that is not installed here.
"""

import ast
import importlib.metadata
import importlib.util
from pathlib import Path

import pytest
import yaml

from experiments.imports import versions

# Its default depends on the version of torch.
BY_TORCH = {"optim"}


def folder(package: str, version: versions.Version) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    if importlib.metadata.version(package) != version.number:
        pytest.skip(f"another version of {package} is installed")
    return Path(next(iter(spec.submodule_search_locations)))


def fields(path: Path, name: str) -> dict[str, object]:
    """The literal defaults of a dataclass."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.ClassDef) and node.name == name):
            continue
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.value, ast.Call):
                for word in item.value.keywords:
                    if word.arg == "default" and isinstance(item.target, ast.Name):
                        found[item.target.id] = literal(word.value)
    return found


def literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def test_defaults_of_trl():
    trl = folder("trl", versions.TRL)
    transformers = importlib.util.find_spec("transformers")
    assert transformers is not None and transformers.submodule_search_locations
    below = Path(next(iter(transformers.submodule_search_locations)))
    known = fields(below / "training_args.py", "TrainingArguments")
    known |= fields(trl / "trainer" / "base_config.py", "_BaseConfig")
    known |= fields(trl / "trainer" / "grpo_config.py", "GRPOConfig")
    for name, default in versions.TRL.defaults.items():
        if name not in BY_TORCH:
            assert known[name] == default, name


def flat(table: dict, prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def test_defaults_of_verl():
    verl = folder("verl", versions.VERL)
    whole = verl / "trainer" / "config" / "_generated_ppo_trainer.yaml"
    known = flat(yaml.safe_load(whole.read_text(encoding="utf-8")))
    for name, default in versions.VERL.defaults.items():
        found = known[name]
        if isinstance(found, str) and isinstance(default, float):
            found = float(found)  # YAML reads 1e-6 as a text
        assert found == default, name


def options(path: Path) -> dict[str, object]:
    """The literal defaults of the options; those in the loop, of the actor."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if not called or node.func.attr != "add_argument" or not node.args:
            continue
        name = ast.unparse(node.args[0]).lstrip("f").strip("'\"")
        words = {word.arg: word.value for word in node.keywords}
        default = words.get("default", ast.Constant(None))
        if isinstance(default, ast.IfExp):
            default = default.body
        found[name.removeprefix("--").replace("{prefix}", "actor")] = literal(default)
    return found


@pytest.mark.parametrize("version", [versions.OPENRLHF, versions.OPENRLHF_FLAT])
def test_defaults_of_openrlhf(version):
    known = options(folder("openrlhf", version) / "cli" / "train_ppo_ray.py")
    for name, default in version.defaults.items():
        found = known[name]
        assert (list(found) if isinstance(found, tuple) else found) == default, name
