"""Every public name says what it is, with an example that runs."""

import ast
import doctest
import inspect
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import simulator as sim
from simulator import rollouts as ro

ROOT = Path(sim.__file__).parent
# What examples start from; see the docstring of the package.
GIVEN = {"jax": jax, "jnp": jnp, "np": np, "optax": optax, "sim": sim, "ro": ro}
ENTRIES = [sim.solve, sim.exact, sim.flow, sim.train, ro.train]


def docstrings(path):
    """`(name, docstring, line)` of all that has one, methods too."""
    blocks = [("", ast.parse(path.read_text()))]
    while blocks:
        prefix, node = blocks.pop()
        text = ast.get_docstring(node, clean=True)
        if text:
            yield prefix or "module", text, node.body[0].lineno
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef):
                blocks.append((f"{prefix}.{child.name}".lstrip("."), child))


def examples(path, module):
    """The examples of a module, ready to run."""
    parser = doctest.DocTestParser()
    scope = vars(module) | GIVEN
    for name, text, line in docstrings(path):
        if ">>>" in text:
            yield parser.get_doctest(text, scope, name, path.name, line)


def module_of(path):
    name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    return __import__(name.removesuffix(".__init__"), fromlist=["x"])


def run(found):
    """What failed, in words."""
    said = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in found:
        runner.run(test, out=said.append, clear_globs=False)
    return "".join(said)


WITH_EXAMPLES = sorted(p for p in ROOT.rglob("*.py") if ">>> " in p.read_text())


@pytest.mark.parametrize(
    "path", WITH_EXAMPLES, ids=lambda p: str(p.relative_to(ROOT).with_suffix(""))
)
def test_examples_run(path):
    assert not run(examples(path, module_of(path)))


def test_a_false_example_is_seen(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text(
        'class A:\n    def f(self):\n        """One.\n\n        >>> 1 + 1\n        3\n'
        '        """\n'
    )
    assert "Expected:\n    3\nGot:\n    2" in run(examples(path, sim))


@pytest.mark.parametrize("package", [sim, ro], ids=lambda p: p.__name__)
def test_every_public_name_has_a_docstring_and_an_example(package):
    for name in package.__all__:
        thing = getattr(package, name)
        if not callable(thing):
            continue
        assert thing.__module__.startswith("simulator.")
        assert thing.__doc__ and ">>> " in thing.__doc__, name
        for member, value in vars(thing).items() if inspect.isclass(thing) else ():
            method = callable(value) or isinstance(value, property)
            if method and not member.startswith("_") and name != "Outcome":
                assert inspect.getdoc(getattr(thing, member)), f"{name}.{member}"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda f: f"{f.__module__}")
def test_entries_spell_out_what_they_take(entry):
    taken = inspect.signature(entry).parameters.values()
    assert not [p for p in taken if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    assert all(p.annotation is not p.empty for p in taken)
    with pytest.raises(TypeError, match=rf"^{entry.__name__}\(\) got .* 'untill'"):
        entry(untill=None)
    text = entry.__doc__ + sim.solve.__doc__
    assert not [p.name for p in taken if f"`{p.name}" not in text]


def test_steps_of_a_problem_are_named_when_positional():
    """What comes after the recipe can only be given by name."""
    for entry in ENTRIES:
        kinds = [p.kind for p in inspect.signature(entry).parameters.values()]
        assert kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) <= 4
        assert kinds.count(inspect.Parameter.KEYWORD_ONLY) >= 3
