"""A real browser for the tests: Debian's Chromium, driven by Playwright. One program, a context a user.

Every user notes what a page did wrong by itself (an exception, a breach of its Content-Security-Policy), and axe-core
says what of a page somebody with a screen reader or weak eyes cannot use."""

import base64
import contextlib
import os
import pathlib
import shutil

import pytest
from node_site import npm
from playwright.sync_api import expect, sync_playwright

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("ROOMPAY_BUILD", HERE.parents[1] / "build"))
SHOTS = BUILD / "screenshots"
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
PHONE_AGENT = (
    "Mozilla/5.0 (Linux; Android 14; SM-S921N) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/150.0.0.0 Mobile Safari/537.36"
)
SERIOUS = ("serious", "critical")
expect.set_options(timeout=15_000)  # a machine that does much beside
TO_WEBP = """async (png) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/webp", 0.9).split(",")[1];
}"""


def program():
    found = os.environ.get("ROOMPAY_CHROMIUM") or shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is not in the PATH (Debian: apt install chromium)")
    return found


def axe():
    """The text of axe-core, installed once from its lock file; None where there is no Node."""
    folder = BUILD / "browser-page"
    script, lock = folder / "node_modules/axe-core/axe.min.js", "package-lock.json"
    source = HERE / "browser_page"
    fresh = script.exists() and (folder / lock).read_bytes() == (source / lock).read_bytes()
    if not fresh:
        if shutil.which("npm") is None:
            return None
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        npm(folder, "ci", "--prefer-offline")
    return script.read_text()


class User:
    """Somebody with a browser: `page`, and what it must not have said by the end."""

    def __init__(self, browser, lang, phone, scheme, **more):
        self.browser, self.name = browser, f"{lang}-{'phone' if phone else 'desktop'}-{scheme}"
        device = (
            {"viewport": PHONE, "user_agent": PHONE_AGENT, "is_mobile": True, "has_touch": True}
            if phone
            else {"viewport": DESKTOP}
        )
        self.context = browser.chromium.new_context(
            locale={"ko": "ko-KR", "en": "en-US"}[lang],
            timezone_id="Asia/Seoul" if lang == "ko" else "America/New_York",
            color_scheme=scheme,
            **device,
            **more,
        )
        self.context.set_default_timeout(20_000)
        self.faults = []
        self.context.on("page", self._watch)
        self.page = self.context.new_page()

    def _watch(self, page):
        page.on("pageerror", lambda e: self.faults.append(f"{page.url}: {e}"))
        page.on("console", lambda m: self._heard(page, m))

    def _heard(self, page, message):
        """Chromium says on its console also which answers were errors: those are the tests' own."""
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.faults.append(f"{page.url}: {message.text}")

    def shoot(self, name):
        SHOTS.mkdir(exist_ok=True)
        path = SHOTS / f"{name}-{self.name}.png"
        self.page.screenshot(path=path, full_page=True, animations="disabled")

    def picture(self, name):
        """One for the README: of the window, and small."""
        SHOTS.mkdir(exist_ok=True)
        png = base64.b64encode(self.page.screenshot(animations="disabled")).decode()
        blank = self.context.new_page()
        (SHOTS / f"{name}.webp").write_bytes(base64.b64decode(blank.evaluate(TO_WEBP, png)))
        blank.close()

    def check(self, name=None):
        """Nobody is shut out of this page, and nothing of it is out of the window; a picture is kept under this name."""
        if name is not None:
            self.shoot(name)
        assert self.page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        ), f"{self.page.url} is wider than the window"
        if self.browser.axe is None:
            return
        self.page.evaluate(self.browser.axe)
        found = self.page.evaluate("axe.run({ resultTypes: ['violations'] })")
        bad = [
            (v["id"], v["help"], [n["html"][:200] for n in v["nodes"]][:5])
            for v in found["violations"]
            if v["impact"] in SERIOUS
        ]
        assert bad == [], f"{self.page.url}: {bad}"

    def close(self):
        self.context.close()
        assert self.faults == []


class Browser:
    def __init__(self, chromium):
        self.chromium, self.axe = chromium, axe()

    @contextlib.contextmanager
    def user(self, lang="ko", phone=False, scheme="light", **more):
        user = User(self, lang, phone, scheme, **more)
        try:
            yield user
        except BaseException:
            with contextlib.suppress(Exception):
                user.shoot(
                    "failed-"
                    + os.environ.get("PYTEST_CURRENT_TEST", "").split("::")[-1].split(" ")[0]
                )
            user.context.close()
            raise
        user.close()


@contextlib.contextmanager
def started():
    """For a module: while Playwright runs, nobody else in this thread can run an event loop of asyncio."""
    path = program()
    with sync_playwright() as playwright:
        # As root, as in a container, Chromium has no sandbox; the pages are our own.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        try:
            yield Browser(chromium)
        finally:
            chromium.close()
