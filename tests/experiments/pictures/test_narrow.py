"""Pictures that are too narrow for their panels side by side have them in rows."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from experiments.commands import figures
from experiments.pictures import looks, picture
from experiments.runtime import shipped
from tests.experiments.diagrams.test_panels import overlaps


@pytest.fixture(autouse=True)
def closed():
    matplotlib.use("Agg")
    yield
    plt.close("all")


def drawn(name, **asked):
    data, _ = figures.saved_data(shipped.figures() / "data" / f"{name}.npz")
    with looks.context():
        figure = picture(name).draw(data)
        looks.dress(figure, looks.read(asked))
        figure.canvas.draw()
    return figure


def test_panels_are_below_each_other_and_labels_apart():
    wide, narrow = drawn("entanglement"), drawn("entanglement", width=4)
    one, two = (panel.get_position() for panel in narrow.axes)
    assert two.y1 < one.y0 and one.x0 < 0.3 and two.x0 < 0.3
    width, height = wide.get_size_inches()
    np.testing.assert_allclose(narrow.get_size_inches(), (4, 2 * height))
    assert overlaps(narrow) == []
    assert drawn("entanglement", width=4, height=5).get_size_inches()[1] == 5
    same = drawn("entanglement", width=0.95 * width)
    assert same.axes[0].get_position().y0 == pytest.approx(
        same.axes[1].get_position().y0, abs=0.02
    )


@pytest.mark.parametrize("name", ["collapse", "several_questions", "optimum"])
@pytest.mark.parametrize("width", [4, 5])
def test_labels_and_legends_stay_inside_and_apart(name, width):
    figure = drawn(name, width=width)
    labels = [axes.xaxis.label for axes in figure.axes]
    boxes = [label.get_window_extent() for label in labels if label.get_text()]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
