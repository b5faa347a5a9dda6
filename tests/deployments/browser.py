"""A headless Chromium that opens pages of the Prefect UI and takes pictures of them."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import TimeoutException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

PATIENCE = 60.0
PROGRAMS = ("chromium", "chromedriver")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
    # Nothing but the page: no look-ups at the maker's hosts.
    *("--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@dataclass(frozen=True)
class Browser:
    """A browser window on the UI of the server at `url`; `images` is where pictures go."""

    driver: Chrome
    url: str
    images: Path

    def open(self, path: str, height: int) -> None:
        """Open a page in a window so many pixels high."""
        self.driver.set_window_size(1280, height)
        self.driver.get(f"{self.url}/v2/{path}")

    def open_artifact(self, artifact: Mapping[str, Any], height: int = 1100) -> None:
        """Open the page of an artifact."""
        self.open(f"artifacts/artifact/{artifact['id']}", height)

    def fit(self) -> None:
        """Make the window as high as what is in it, so that a picture shows all of the page."""
        script = "return Math.max(...[...document.querySelectorAll('*')].map(one => one.scrollHeight))"
        higher = self.driver.get_window_size()["height"] - self.driver.execute_script("return innerHeight")
        self.driver.set_window_size(1280, int(self.driver.execute_script(script)) + higher)

    def text(self) -> str:
        """What can be read on the page."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def sees(self, *texts: str) -> None:
        """Wait until all of it can be read on the page."""
        wait = WebDriverWait(self.driver, PATIENCE, ignored_exceptions=[Exception])
        try:
            wait.until(lambda _: all(text in self.text() for text in texts))
        except TimeoutException:
            raise AssertionError(f"{texts} not in: {self.text()}") from None

    def field(self, label: str) -> WebElement:
        """The input that belongs to a label."""
        xpath = f"//label[normalize-space()={label!r}]"
        element = WebDriverWait(self.driver, PATIENCE).until(
            lambda driver: driver.find_element(By.XPATH, xpath), f"no label {label!r}"
        )
        return self.driver.find_element(By.ID, element.get_attribute("for") or "")

    def fill_in(self, label: str, text: str) -> None:
        """Replace what an input holds."""
        self.field(label).send_keys(Keys.CONTROL, "a")
        self.field(label).send_keys(text)

    def click(self, text: str) -> None:
        """Click the button with this text."""
        xpath = f"//button[normalize-space()={text!r}]"
        WebDriverWait(self.driver, PATIENCE).until(
            lambda driver: driver.find_element(By.XPATH, xpath), f"nothing to click: {text!r}"
        ).click()

    def has_button(self, text: str) -> bool:
        """Whether there is a button with this text."""
        return bool(self.driver.find_elements(By.XPATH, f"//button[normalize-space()={text!r}]"))

    def picture(self, name: str) -> None:
        """Take a picture of the window."""
        self.images.mkdir(parents=True, exist_ok=True)
        assert self.driver.save_screenshot(str(self.images / f"{name}.png"))


def missing() -> list[str]:
    """The programs it takes that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


needed = pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()} (Debian's packages)")


@contextmanager
def opened(url: str, images: Path) -> Iterator[Browser]:
    """A browser for the length of the block."""
    chromium, chromedriver = (shutil.which(program) or program for program in PROGRAMS)
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        options.binary_location = chromium
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        # Selenium asks its driver over loopback, past any proxy.
        service = ChromeService(chromedriver, env={**os.environ, "NO_PROXY": "127.0.0.1,localhost"})
        driver = Chrome(options=options, service=service)
        try:
            yield Browser(driver, url, images)
        finally:
            driver.quit()
