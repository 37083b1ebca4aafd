"""A headless Chromium, driven by the WebDriver protocol: https://www.w3.org/TR/webdriver2/ (standard library only)."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")


class Browser:
    """One window.

    Args:
        address: Of the driver.
    """

    def __init__(self, address):
        self._address = address
        arguments = ["--headless=new", "--disable-gpu", "--window-size=1280,900", "--disable-dev-shm-usage"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # which root can't have
        options = {"binary": BROWSER, "args": arguments}
        logging = {"performance": "ALL", "browser": "ALL"}
        wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": logging}}
        self._session = self._ask("POST", "/session", {"capabilities": wanted})["sessionId"]

    def _ask(self, method, path, body=None):
        request = urllib.request.Request(
            self._address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def _do(self, method, path, body=None):
        return self._ask(method, f"/session/{self._session}{path}", body)

    def open(self, file):
        self._do("POST", "/url", {"url": f"file://{file}"})

    def run(self, script, *arguments):
        """What JavaScript returns."""
        return self._do("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script, seconds=20):
        """What JavaScript returns, once that is true."""
        end = time.monotonic() + seconds
        while not (found := self.run(script)):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.05)
        return found

    def move(self, x, y, click=False, keys=""):
        """Move the pointer to a place in the window, perhaps click there and type."""
        steps = [{"type": "pointerMove", "duration": 50, "x": int(x), "y": int(y)}]
        if click:
            steps += [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        actions = [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}]
        self._do("POST", "/actions", {"actions": actions})
        if keys:
            strokes = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
            self._do("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": strokes}]})

    def requests(self):
        """The addresses that were asked, other than the page and what it holds itself."""
        entries = (
            json.loads(one["message"])["message"] for one in self._do("POST", "/se/log", {"type": "performance"})
        )
        sent = [one["params"]["request"]["url"] for one in entries if one["method"] == "Network.requestWillBeSent"]
        return [address for address in sent if not address.startswith(("file:", "data:", "blob:"))]

    def complaints(self):
        """What the browser says of the page."""
        return [one["message"] for one in self._do("POST", "/se/log", {"type": "browser"})]

    def emulate(self, command, **parameters):
        return self._do("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def seconds_of_work(self):
        """CPU time of the page's thread since the browser began it, however busy the machine is."""
        self.emulate("Performance.enable", timeDomain="threadTicks")
        found = {one["name"]: one["value"] for one in self.emulate("Performance.getMetrics")["metrics"]}
        self.emulate("Performance.disable")
        return found["ThreadTime"]

    def picture(self, file):
        file.write_bytes(base64.b64decode(self._do("GET", "/screenshot")))

    def close(self):
        self._do("DELETE", "")


@contextmanager
def browser():
    """A window, until the end."""
    with subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as driver:
        try:
            port = next(line for line in driver.stdout if "successfully" in line).strip().rstrip(".").rpartition(" ")[2]
            window = Browser(f"http://127.0.0.1:{port}")
            yield window
            window.close()
        finally:
            driver.terminate()
