"""The notebooks run, and print what they keep."""

import copy
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

NOTEBOOKS = sorted((Path(__file__).parent.parent / "docs" / "notebooks").glob("*.ipynb"))

# What the kernel's client and its sockets warn of; gradtape itself runs in the kernel's process,
# where a warning is printed and so found.
pytestmark = pytest.mark.filterwarnings("ignore")


def read(path):
    return nbformat.read(path, as_version=4)


def executed(notebook):
    """A copy of a notebook with the outputs of a run of today."""
    fresh = copy.deepcopy(notebook)
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbclient.NotebookClient(fresh, timeout=120, kernel_name="python3").execute()
    return fresh


def texts(notebook):
    """What each cell of code prints and gives, as words."""
    return [
        " ".join(
            output.get("text") or output.get("data", {}).get("text/plain", "")
            for output in cell.outputs
        ).split()
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_notebooks_are_found():
    assert [path.stem for path in NOTEBOOKS] == ["iris", "neuron", "verify"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_gives_what_it_keeps(path):
    kept = read(path)
    assert sum(map(bool, texts(kept))) >= 3
    assert texts(executed(kept)) == texts(kept)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_keeps_nothing_of_the_machine(path):
    notebook = read(path)
    assert notebook.metadata.language_info == {"name": "python"}
    assert not any(cell.metadata for cell in notebook.cells)
    for words in texts(notebook):
        assert "0x" not in " ".join(words)


def test_a_changed_number_would_be_found():
    notebook = read(next(path for path in NOTEBOOKS if path.stem == "neuron"))
    kept = texts(notebook)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source = first.source.replace("4 * x", "3 * x")
    assert texts(executed(notebook))[0] != kept[0]
