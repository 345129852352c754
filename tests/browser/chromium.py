"""A real browser without a screen, driven over its own debugging protocol; its only network is loopback."""

import asyncio
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 60.0

KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), " ": (32, " "), "ArrowRight": (39, "")}
"""What the keyboard says: a number, and the text that it writes."""
CODES = {" ": "Space"}

FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1280,800",
)


def find_browser() -> str | None:
    """Path of a Chromium on this machine."""
    return os.environ.get("CRM_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One tab. `requests` are the addresses that it asked for, `problems` what it complained about."""

    def __init__(self, socket: ClientConnection) -> None:
        self.requests: list[str] = []
        self.problems: list[str] = []
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def listen(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if "id" in message:
                self._waiting.pop(message["id"]).set_result(message)
                continue
            parameters = message.get("params", {})
            match message["method"]:
                case "Network.requestWillBeSent":
                    self.requests.append(parameters["request"]["url"])
                case "Runtime.exceptionThrown":
                    details = parameters["exceptionDetails"]
                    self.problems.append(details.get("exception", {}).get("description", details["text"]))
                case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                    self.problems.append(parameters["entry"]["text"])

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        answer = await asyncio.wait_for(self._waiting[number], SECONDS)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def open(self, url: str) -> None:
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self.send(f"{domain}.enable")
        await self.send("Page.navigate", url=url)

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to."""
        answer = await self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Waits for an expression to be true."""
        end = monotonic() + SECONDS
        while not (found := await self.value(expression)):
            if monotonic() > end:
                raise TimeoutError(f"{expression} did not become true; complaints: {self.problems}")
            await asyncio.sleep(0.05)
        return found

    async def type(self, text: str) -> None:
        await self.send("Input.insertText", text=text)

    async def press_enter(self) -> None:
        await self.press("Enter")

    async def press(self, key: str) -> None:
        """Of the keys that move about in a page, and choose in it."""
        code, text = KEYS[key]
        for event in ("keyDown", "keyUp"):
            await self.send(
                "Input.dispatchKeyEvent",
                type=event,
                key=key,
                code=CODES.get(key, key),
                windowsVirtualKeyCode=code,
                **({"text": text} if text else {}),
            )


@asynccontextmanager
async def browser_page(program: str, folder: Path) -> AsyncIterator[Page]:
    """A fresh browser with one empty tab; `folder` holds its profile."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's own needs another account than root
    process = await asyncio.create_subprocess_exec(
        program,
        *FLAGS,
        *sandbox,
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        port = await _debugging_port(folder / "DevToolsActivePort")
        async with connect(f"ws://127.0.0.1:{port}{await _tab(port)}", max_size=None) as socket:
            page = Page(socket)
            listening = asyncio.create_task(page.listen())
            try:
                yield page
            finally:
                listening.cancel()
    finally:
        process.terminate()
        await process.wait()


async def _debugging_port(file: Path) -> int:
    async with asyncio.timeout(SECONDS):
        while True:
            text = await asyncio.to_thread(lambda: file.read_text() if file.exists() else "")
            if "\n" in text:
                return int(text.split("\n")[0])
            await asyncio.sleep(0.05)


async def _tab(port: int) -> str:
    """Path of the first tab's socket."""
    import httpx2

    async with httpx2.AsyncClient(trust_env=False) as client, asyncio.timeout(SECONDS):
        while True:
            tabs = (await client.get(f"http://127.0.0.1:{port}/json/list")).json()
            for tab in tabs:
                if tab["type"] == "page":
                    address: str = tab["webSocketDebuggerUrl"]
                    return "/" + address.split("/", 3)[3]
            await asyncio.sleep(0.05)
