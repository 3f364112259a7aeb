"""What Chromium complains of: the one place where a browser test fails for a violated policy, a script or a request."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError


class Watch:
    """Follows every context of a browser; `take` gives what was complained of since the last time."""

    def __init__(self) -> None:
        self._complaints: list[str] = []
        self._expected: list[str] = []

    def follow(self, context: BrowserContext) -> None:
        context.on("console", self._hear)  # a violated Content-Security-Policy is told here, as an error
        context.on("weberror", self._hear_error)
        context.on("requestfailed", self._hear_failure)
        context.on("response", self._hear_answer)

    def expect(self, part: str) -> None:
        """For a test that breaks something on purpose: until the next `take`, complaints with this in them are none."""
        self._expected.append(part)

    def take(self) -> list[str]:
        said = [each for each in self._complaints if not any(part in each for part in self._expected)]
        self._complaints.clear()
        self._expected.clear()
        return said

    def _hear(self, message: ConsoleMessage) -> None:
        # What could not be loaded is told more exactly by the answers and failures below.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self._complaints.append(f"{message.location['url']}: {message.text}")

    def _hear_error(self, error: WebError) -> None:
        self._complaints.append(str(error.error))

    def _hear_failure(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # aborted: the page was left before it came
            self._complaints.append(f"{request.method} {request.url}: {request.failure}")

    def _hear_answer(self, response: Response) -> None:
        # A page that says what was wrong with a form is 4xx, and for its own test to judge.
        refused = 400 <= response.status < 500 and response.request.is_navigation_request()
        if response.status >= 400 and not refused:
            self._complaints.append(f"{response.request.method} {response.url}: {response.status}")
