"""The explorer in a real browser: how long from a hand's move to a painted picture.

Latency: the base model is dragged by single moves of the mouse, each after the picture
of the last one is painted; from the time stamp of the pointer's event to the frame
after the curves are drawn. Beside it the time of the answer on the server, and of the
engine alone in this process. Then 60 moves without a pause: how many questions were
sent, and how many were under way at once. Start: from the start of the process to the
first curves on the page, with an empty cache of programs and with a full one. Maps:
from the choice of a map to its picture of 100 x 100 cells.

Needs Chromium and its driver. Prints one JSON object.

    python benchmarks/explorer.py
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from selenium import webdriver

# Milliseconds from a pointer's event to the frame after its own curves are drawn.
WATCH = """
window.took = [];
let moved = null;
addEventListener("pointermove", (e) => { moved = e.timeStamp; }, true);
const own = () => JSON.stringify(explorer.shown?.state.logits)
  === JSON.stringify(explorer.state.logits);
new MutationObserver(() => {
  if (moved === null || !own()) return;
  const from = moved;
  moved = null;
  requestAnimationFrame(() => setTimeout(() => took.push(performance.now() - from)));
}).observe(document.querySelector("#policy"),
  {childList: true, subtree: true, attributes: true});
"""
HANDLE = "const b = document.querySelector('#simplex .handle').getBoundingClientRect();"
MOVES = 60


@contextlib.contextmanager
def explorer(cache):
    """Its address and when its process was started; it ends with the block."""
    command = [sys.executable, "-m", "experiments", "explore", "--no-browser"]
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": cache}
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        yield process.stdout.readline().strip(), begun
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


@contextlib.contextmanager
def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for word in ("headless=new", "no-sandbox", "window-size=1280,1000"):
        options.add_argument(f"--{word}")
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    try:
        yield browser
    finally:
        browser.quit()


def wait(browser, condition, seconds=120):
    """Until the condition holds in the page; when it did."""
    end = time.perf_counter() + seconds
    while not browser.execute_script(f"return Boolean({condition})"):
        if time.perf_counter() > end:
            raise TimeoutError(condition)
        time.sleep(0.005)
    return time.perf_counter()


def started(cache):
    """Seconds from the start of the process until curves, numbers and map are there."""
    with chromium() as browser, explorer(cache) as (address, begun):
        browser.get(address)
        curves = wait(browser, "window.explorer && explorer.shown")
        numbers = wait(browser, "explorer.numbers")
        everything = wait(browser, "explorer.settled")
        return [round(at - begun, 2) for at in (curves, numbers, everything)]


def mouse(browser, kind, x, y):
    given = {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1}
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", given | {"clickCount": 1})


def grab(browser):
    """Take hold of the base model; where it is."""
    place = HANDLE + "return [b.x + b.width / 2, b.y + b.height / 2]"
    x, y = browser.execute_script(place)
    mouse(browser, "mousePressed", x, y)
    return x, y


def quantiles(times):
    ordered = sorted(times)
    late = ordered[int(0.95 * (len(ordered) - 1))]
    return {"median": round(statistics.median(ordered), 1), "p95": round(late, 1)}


def dragged(browser):
    """Single moves, each painted before the next one; then as many without a pause."""
    browser.execute_script(WATCH)
    x, y = grab(browser)
    for i in range(1, MOVES + 1):
        mouse(browser, "mouseMoved", x + i, y - i)
        wait(browser, f"took.length >= {i}")
    answers = browser.execute_script(
        "return performance.getEntriesByType('resource')"
        ".filter((e) => e.name.endsWith('/api/curves')).slice(-arguments[0])"
        ".map((e) => [e.serverTiming[0]?.duration ?? 0, e.responseEnd - e.startTime])",
        MOVES,
    )
    single = browser.execute_script("return took")
    wait(browser, "explorer.settled")
    before = browser.execute_script("return explorer.askers.curves.sent")
    for i in range(MOVES):
        mouse(browser, "mouseMoved", x + MOVES - i, y - MOVES + i)
    mouse(browser, "mouseReleased", x, y)
    wait(browser, "explorer.settled")
    sent, most = browser.execute_script(
        "return [explorer.askers.curves.sent, explorer.askers.curves.most]"
    )
    return {
        "pointer to picture": quantiles(single),
        "answer on the server": quantiles([server for server, _ in answers]),
        "question to answer": quantiles([whole for _, whole in answers]),
        "moves without a pause": {
            "moves": MOVES,
            "questions": sent - before,
            "under way at once": most,
        },
    }


def mapped(browser):
    """Milliseconds from a question for a map of 100 x 100 cells to its answer."""
    ask = """
    const done = arguments[arguments.length - 1], from = performance.now();
    const {view, rest, ...state} = explorer.state;
    fetch("/api/map", {method: "POST", headers: {"content-type": "application/json"},
      body: JSON.stringify({state: {...state, view, map: arguments[0]}, side: 100})})
      .then((reply) => reply.json()).then((found) => done(
        found.z ? performance.now() - from : found.error));
    """
    kinds = ("quality", "bad-mass", "mixture", "noise", "dose")
    found = {}
    for kind in kinds:
        browser.execute_async_script(ask, kind)  # its program is compiled
        times = [browser.execute_async_script(ask, kind) for _ in range(5)]
        found[kind] = quantiles(times)
    return found


def engine():
    """Milliseconds of the curves alone, in this process."""
    from experiments.runtime import compiling

    compiling.prepare("explore")
    import jax

    jax.config.update("jax_enable_x64", True)
    from experiments.explorer import curves
    from experiments.explorer.state import State

    times = []
    for i in range(MOVES):
        state = State(logits=(-3 + i / 60, -0.35, -1.4))
        begun = time.perf_counter()
        curves.curves(state)
        times.append(1e3 * (time.perf_counter() - begun))
    return quantiles(times[5:])


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    with tempfile.TemporaryDirectory() as cache:
        names = ("curves", "numbers", "all of the page")
        start = {
            name: dict(zip(names, started(cache), strict=True))
            for name in ("empty cache", "kept programs")
        }
        with chromium() as browser, explorer(cache) as (address, _):
            browser.set_script_timeout(120)
            browser.get(address)
            wait(browser, "window.explorer && explorer.numbers && explorer.settled")
            drag, maps = dragged(browser), mapped(browser)
    result = {
        "seconds from the start of the process": start,
        "milliseconds of a move": drag | {"engine alone": engine()},
        "milliseconds of a map of 100 x 100": maps,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
