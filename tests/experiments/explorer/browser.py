"""The explorer's command, and a real browser that looks at its page."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from experiments.explorer.state import State, fragment, parse

ROOT = Path(__file__).parents[3]
AXE = Path(__file__).with_name("axe.min.js")  # 4.14.1, of npm's axe-core
PATIENCE = 200.0  # seconds, for programs that are compiled on a busy machine
OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # root may not have one
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-dev-shm-usage",
)
START = fragment(State())
RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
SETTLED = "return Boolean(window.explorer?.shown && explorer.numbers && {})"


def programs() -> dict[str, str]:
    """Paths of the browser and its driver; without them the test is skipped.

    Where CI is set it fails instead: there the page must not go untested.
    """
    found = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        reason = f"{' and '.join(missing)} not found (Debian: chromium-driver)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return {name: str(path) for name, path in found.items()}


class Site(NamedTuple):
    """The explorer at `address`, as its command printed it."""

    address: str

    def ask(self, kind: str, question: Any) -> Any:
        """What the server answers, past the browser."""
        request = urllib.request.Request(
            f"{self.address}api/{kind}",
            json.dumps(question).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            return json.load(reply)


@contextlib.contextmanager
def explorer(*arguments: str) -> Iterator[Site]:
    """`pattern-selection explore` in a process of its own, warmed up."""
    command = [sys.executable, "-m", "experiments", "explore", "--no-browser"]
    process = subprocess.Popen(
        [*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/.*", address), address
        site = Site(address.partition("#")[0])
        end = time.monotonic() + PATIENCE
        while True:
            with urllib.request.urlopen(f"{site.address}api/ready") as reply:
                told = json.load(reply)
            assert not told["failed"], told
            if {"curves", "numbers", "maps"} <= set(told["ready"]):
                break
            assert time.monotonic() < end, told
            time.sleep(0.3)
        yield site
    finally:
        process.terminate()
        process.communicate()


class Page:
    """A window of the browser on a site."""

    def __init__(self, driver: Any, site: Site, folder: Path):
        self.driver, self.site, self.folder = driver, site, folder

    def open(self, fragment: str = "", width: int = 1280, height: int = 1000) -> None:
        """A fresh load, until all answers have come and are drawn."""
        self.size(width, height)
        self.driver.get("about:blank")
        self.driver.get(self.site.address + fragment)
        self.settle()

    def size(self, width: int, height: int, scale: float = 1.0) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale}
        self.cdp("Emulation.setDeviceMetricsOverride", mobile=False, **metrics)

    def dark(self, on: bool) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.cdp("Emulation.setEmulatedMedia", features=[scheme])

    def cdp(self, command: str, **arguments: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, arguments)

    def js(self, code: str, *arguments: Any) -> Any:
        return self.driver.execute_script(code, *arguments)

    def wait(self, code: str, seconds: float = 60.0) -> Any:
        """The value of `code` once it is true."""
        end = time.monotonic() + seconds
        while not (value := self.js(code)):
            assert time.monotonic() < end, f"never: {code}"
            time.sleep(0.05)
        return value

    def settle(self) -> None:
        self.wait(SETTLED.format("explorer.settled"), PATIENCE)

    def module(self, code: str, *arguments: Any) -> Any:
        """What async `code` gives; it may import the page's modules."""
        body = f"const done = arguments[arguments.length - 1]; (async () => {{{code}}})"
        return self.driver.execute_async_script(
            body + "().then(done, (error) => done('error: ' + error));", *arguments
        )

    def find(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements("css selector", selector)

    @property
    def hash(self) -> str:
        return self.js("return location.hash")

    @property
    def state(self) -> State:
        """What the address says, read by Python; the start where it says nothing."""
        return parse(self.hash)

    # ---- hands and keys ----

    def hands(self) -> Any:
        from selenium.webdriver.common.action_chains import ActionChains

        return ActionChains(self.driver, duration=10)

    def point(self, selector: str, right: int = 0, down: int = 0) -> None:
        """The pointer over the middle of something, or beside it."""
        node = self.find(selector)
        self.js("arguments[0].scrollIntoView({block: 'center'})", node)
        self.hands().move_to_element_with_offset(node, right, down).perform()

    def focus(self, selector: str) -> None:
        self.js("document.querySelector(arguments[0]).focus()", selector)

    def keys(self, *names: str) -> None:
        """Keys of these names, to what has the focus."""
        from selenium.webdriver.common.keys import Keys

        keys = [getattr(Keys, name) for name in names]
        self.driver.switch_to.active_element.send_keys(*keys)
        self.settle()

    def button(self, text: str, within: str = "body") -> Any:
        (found,) = [b for b in self.all(f"{within} button") if b.text == text]
        return found

    # ---- what is seen ----

    def texts(self, selector: str) -> list[str]:
        code = "return [...document.querySelectorAll(arguments[0])].map("
        return self.js(code + "(n) => n.textContent)", selector)

    def attributes(self, selector: str, *names: str) -> list[list[str]]:
        """Of each node its `data-key`, text, and these attributes."""
        code = (
            "return [...document.querySelectorAll(arguments[0])].map((n) => ["
            "n.dataset.key, n.textContent, "
            "...arguments[1].map((a) => n.getAttribute(a))])"
        )
        return self.js(code, selector, names)

    def curve(self, view: str, key: str) -> tuple[np.ndarray, np.ndarray]:
        """Log10 times and values of a drawn curve, read by the ticks beside it."""
        along, up = [], []
        for name, text, x in self.attributes(f"#{view} .axis text", "x"):
            if name[0] == "x":
                along.append((float(x), exponent(text)))
        for name, _, y in self.attributes(f"#{view} .axis .grid", "y1"):
            up.append((float(y), float(name[1:])))
        assert len(along) > 2 and len(up) > 2
        ((_, _, d),) = self.attributes(f'#{view} [data-key="{key}"]', "d")
        points = [part.split() for part in re.split("[ML]", d) if part]
        pixels = np.array(points, float).T
        scales = [np.polyfit(*zip(*pairs, strict=True), 1) for pairs in (along, up)]
        log10_t, values = map(np.polyval, scales, pixels)
        return log10_t, values

    def errors(self) -> list[str]:
        """What the console has complained of since the last call."""
        log = self.driver.get_log("browser")
        return [line["message"] for line in log if line["level"] == "SEVERE"]

    def violations(self) -> list[str]:
        """What axe-core finds serious or critical, with where."""
        self.js(AXE.read_text())
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run().then((r) => done(r.violations));"
        )
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]


def exponent(text: str) -> int:
    """Of a power of ten, as axes have it."""
    if text in ("1", "10"):
        return len(text) - 1
    return int(text.removeprefix("10").translate(RAISED))


@contextlib.contextmanager
def browser(site: Site, folder: Path) -> Iterator[Page]:
    """Chromium; what is saved goes to `folder`."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    paths = programs()
    options = webdriver.ChromeOptions()
    options.binary_location = paths["chromium"]
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(paths["chromedriver"]))
    try:
        driver.set_script_timeout(PATIENCE)
        page = Page(driver, site, folder)
        page.cdp(
            "Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder)
        )
        yield page
    finally:
        driver.quit()
