"""Animations in a real browser, where there is one."""

import html
import os
import re
import shutil
import subprocess

import gradtape as gt
import pytest
from gradtape import Value
from gradtape.nn import MLP
from gradtape.show.drawing.view import number
from gradtape.show.graph import Graph

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium: apt-get install chromium lets these tests run"
)


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return tmp_path_factory.mktemp("profile")


def look(page, folder, profile, fragment="", script=""):
    """The page's document after its scripts ran, and what went wrong in it."""
    path = folder / "page.html"
    text = page.html
    if script:
        text = text.replace("</body>", f"<script>{script}</script></body>")
    path.write_text(text, encoding="utf-8")
    command = [
        BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom",
        "--enable-logging=stderr", "--virtual-time-budget=4000", f"--user-data-dir={profile}",
        f"{path.as_uri()}#{fragment}",
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, timeout=120, check=True, env={**os.environ, "LANG": "C.UTF-8"}
    )
    errors = [x for x in done.stderr.decode("utf-8", "replace").splitlines() if "CONSOLE" in x]
    return done.stdout.decode("utf-8"), errors


def shown(document, kind):
    """The numbers in the boxes, by the number of the node."""
    boxes = re.findall(
        r'<g class="[^"]*" data-box="\d+" data-node="(\d+)">(.*?)</g>', document, re.S
    )
    found = {}
    for node, inside in boxes:
        found[int(node)] = re.search(rf'class="gt-{kind}"[^>]*>([^<]*)<', inside)[1]
    return found


def text_of(document, name):
    return html.unescape(
        re.sub("<[^>]*>", "", re.search(rf'id="{name}"[^>]*>(.*?)</', document, re.S)[1])
    )


def expression():
    x, y = Value(2.0, "</script><b>x"), Value(-1.5, 'y"|{')
    out = gt.tanh(x * y + x) + gt.dot([x, y], [y, 0.5])
    out.label = "out"
    return out, [x, y]


def test_the_last_step_has_the_gradients_of_backward(tmp_path, profile):
    out, leaves = expression()
    document, errors = look(gt.animate(out), tmp_path, profile, "step=last&plain")
    assert errors == []
    out.backward()
    graph = Graph(out, leaves)
    grads = shown(document, "grad")
    assert grads == {node.index: number(node.grad) for node in graph}
    assert [grads[k] for k in graph.marks] == [number(x.grad) for x in leaves]
    assert shown(document, "data") == {node.index: number(node.value) for node in graph}
    assert text_of(document, "say").startswith("Done.")


def test_every_step_shows_something_else(tmp_path, profile):
    out, _ = expression()
    page = gt.animate(out)
    count = int(re.search(r"\((\d+) steps", repr(page))[1])
    # The page itself is asked for each of its steps, through the same button as people's.
    script = """
      const seen = [];
      for (let i = 0; i < 200; i++) {
        seen.push($("title").textContent + $("lines").textContent + $("terms").textContent
          + $("picture").textContent + $("say").textContent);
        if ($("next").disabled) break;
        $("next").click();
      }
      document.body.dataset.steps = seen.length;
      document.body.dataset.different = new Set(seen).size;
    """
    document, errors = look(page, tmp_path, profile, "plain", script)
    assert errors == []
    assert f'data-steps="{count}"' in document
    assert f'data-different="{count}"' in document


def test_before_the_first_step_nothing_is_known_but_the_leaves(tmp_path, profile):
    out, _ = expression()
    graph = Graph(out)
    document, _ = look(gt.animate(out), tmp_path, profile, "step=0")
    data = shown(document, "data")
    assert [data[k] != "·" for k in range(len(graph))] == [
        k < graph.leaves for k in range(len(graph))
    ]
    assert set(shown(document, "grad").values()) == {"·"}


def test_keys_slider_and_play(tmp_path, profile):
    out, _ = expression()
    script = """
      const log = [];
      const at = () => log.push($("count").textContent.split(" ")[0]);
      const press = (key) => {
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        at();
      };
      ["ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "Home", "ArrowLeft"]
        .forEach(press);
      $("slider").value = 4;
      $("slider").dispatchEvent(new Event("input"));
      at();
      press("Home");
      $("speed").value = "400";
      press(" ");
      log.push($("play").textContent);
      setTimeout(() => { at(); press(" "); log.push($("play").textContent);
        document.body.dataset.log = log.join(" "); }, 1000);
    """
    page = gt.animate(out)
    count = re.search(r"\((\d+) steps", repr(page))[1]
    document, errors = look(page, tmp_path, profile, "plain", script)
    assert errors == []
    log = re.search(r'data-log="([^"]*)"', document)[1]
    assert log == f"2 3 2 {count} {count} 1 1 5 1 1 Pause 3 3 Play"


def test_the_reading_order(tmp_path, profile):
    document, _ = look(gt.animate(expression()[0]), tmp_path, profile, "step=2")
    places = [document.index(f'id="{x}"') for x in ("first", "play", "slider", "title", "picture")]
    assert places == sorted(places)
    assert re.search(r'id="say"[^>]*aria-live="polite"', document)
    assert text_of(document, "say").startswith("Forward: ")
    assert re.search(r'<svg[^>]*role="img"[^>]*aria-label="A graph of', document)
    for button in re.findall(r"<button[^>]*>", document):
        assert "aria-label=" in button


@pytest.mark.parametrize("inputs", [2, 3])
def test_a_training_is_shown(tmp_path, profile, inputs):
    rows = [[i % 2, i // 2, 1][:inputs] for i in range(4)]
    page = gt.animate(MLP([inputs, 4, 2], "tanh", seed=1), rows, [0, 1, 1, 0], epochs=5)
    first, errors = look(page, tmp_path, profile, "plain")
    assert errors == []
    last, errors = look(page, tmp_path, profile, "step=last&plain")
    assert errors == []
    assert text_of(first, "numbers") == "Before the first epoch."
    assert text_of(last, "numbers").startswith("Epoch 5: loss ")
    assert ('id="boundary" hidden' in last) is (inputs == 3)
    widths = [re.findall(r'data-weight.*?stroke-width="([^"]*)"', page) for page in (first, last)]
    assert widths[0] != widths[1]
    assert len(widths[1]) == 4 * inputs + 8
