"""A person in front of a browser: what they press, write and read, and what they must never meet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Download,
    Locator,
    Page,
    Request,
    Response,
    expect,
)

from accounts.models import User
from accounts.tests.factories import PASSWORD
from emails.services import delivery
from sandbox.mailgun import StandIn

WIDE, NARROW = 1280, 360
HEIGHTS = {NARROW: 740}
PATIENCE_MS = 20_000
# A page's own 4xx is told to the console, too; answers are watched by themselves.
TOLD_ELSEWHERE = "Failed to load resource"

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Visitor:
    """One browser profile with one page open. ``problems`` gathers what no visit may bring.

    That is: errors in the console (a broken content policy among them), uncaught errors, dialogs, requests to
    other hosts, parts of a page that are missing, and pages that broke (5xx).
    """

    context: BrowserContext
    page: Page
    site: str
    mailgun: StandIn
    width: int
    problems: list[str] = field(default_factory=list)
    shop: str = ""
    """Where the practice pages for payments are."""

    @classmethod
    def open(
        cls,
        browser: Browser,
        *,
        site: str,
        mailgun: StandIn,
        shop: str = "",
        width: int = WIDE,
        javascript: bool = True,
        scheme: Any = "light",
    ) -> Self:
        context = browser.new_context(
            base_url=site,
            viewport={"width": width, "height": HEIGHTS.get(width, 900)},
            java_script_enabled=javascript,
            color_scheme=scheme,
            locale="en-US",
            timezone_id="America/New_York",
            service_workers="block",
        )
        context.set_default_timeout(PATIENCE_MS)
        visitor = cls(context, context.new_page(), site, mailgun, width, shop=shop)
        context.on("console", visitor._heard)
        context.on("weberror", lambda error: visitor.problems.append(f"Uncaught: {error.error}"))
        context.on("dialog", visitor._asked)
        context.on("request", visitor._sent)
        context.on("response", visitor._answered)
        return visitor

    # --- what must not happen -------------------------------------------------------------------------
    def _heard(self, message: ConsoleMessage) -> None:
        place = str(message.location.get("url", ""))
        is_ours = place.startswith(self.site)
        if message.type == "error" and is_ours and not message.text.startswith(TOLD_ELSEWHERE):
            self.problems.append(f"Console at {place}: {message.text}")

    def _asked(self, dialog: Dialog) -> None:
        self.problems.append(f"Dialog: {dialog.message}")
        dialog.dismiss()

    def _sent(self, request: Request) -> None:
        shops = (self.shop + "/",) if self.shop else ()
        known = (self.site + "/", self.mailgun.site + "/", *shops, "data:", "about:", "blob:")
        if not request.url.startswith(known):
            self.problems.append(f"Asked another host: {request.url}")

    def _answered(self, response: Response) -> None:
        worst = 499 if response.request.is_navigation_request() else 399
        if response.status > worst and not (self.shop and response.url.startswith(self.shop)):
            self.problems.append(f"Answered with {response.status}: {response.url}")

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """For tools of the tests that break the content policy themselves: what happens inside does not count."""
        self.page.evaluate("0")  # what the page has done until now has been told once this is answered
        known = len(self.problems)
        yield
        self.page.evaluate("0")
        del self.problems[known:]

    # --- going and looking ----------------------------------------------------------------------------
    def go(self, name: str, *args: Any) -> None:
        """Open a page by the name of its address."""
        self.page.goto(reverse(name, args=args))

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.site).partition("?")[0].partition("#")[0]

    @property
    def words(self) -> str:
        """The main part of the page, as it can be read."""
        return self.page.locator("main").inner_text()

    def sees(self, heading: str) -> None:
        """Wait for the page with this main heading."""
        expect(self.page.get_by_role("heading", level=1, name=heading, exact=True)).to_be_visible()

    def reads(self, *sentences: str) -> None:
        """Wait until the main part says all this."""
        for sentence in sentences:
            expect(self.page.locator("main")).to_contain_text(sentence)

    # --- pressing and writing -------------------------------------------------------------------------
    def press(self, name: str) -> None:
        """Press the link or button of exactly this name, in the main part of the page."""
        self.thing(name).click()

    def thing(self, name: str) -> Locator:
        main = self.page.locator("main")
        button = main.get_by_role("button", name=name, exact=True)
        return button.or_(main.get_by_role("link", name=name, exact=True)).first

    def menu(self, name: str) -> None:
        """Press a link of the header: in the row, or behind the word "Menu" where the screen is narrow."""
        menu = self.page.get_by_text("Menu", exact=True)
        if menu.is_visible():
            menu.click()
        link = self.page.locator("header").get_by_role("link", name=name, exact=True)
        link.locator("visible=true").first.click()

    def write(self, **answers: str) -> None:
        """Fill boxes by the names of their questions."""
        for name, text in answers.items():
            self.page.locator(f"main [name={name}]").fill(text)

    # --- being somebody -------------------------------------------------------------------------------
    def is_signed_in_as(self, user: User) -> Self:
        """Put the cookie of a new session into the browser, as a log-in would."""
        client = Client()
        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        self.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": self.site}])
        return self

    def sign_in(self, user: User, password: str = PASSWORD) -> None:
        """Fill in the page for signing in, which must be open."""
        self.sees("Sign in")
        self.write(email=user.email, password=password)
        self.press("Sign in")

    # --- mail -----------------------------------------------------------------------------------------
    def open_mail(self, to: str, subject: str) -> None:
        """Let the mail queue run, then find the newest mail of that subject in the mailbox, as a person would."""
        delivery.drain()
        self.page.goto(f"{self.mailgun.site}/")
        self.page.get_by_label("Show the mail of one address").fill(to)
        self.page.get_by_role("button", name="Show", exact=True).click()
        self.page.get_by_role("link", name=subject).first.click()
        expect(self.page.get_by_role("heading", level=1)).to_contain_text(subject)

    def mail_text(self) -> str:
        return self.page.locator(".mailbox-text").inner_text()

    def press_link_in_mail(self, part_of_address: str) -> None:
        """Press a link written out in the text of the open mail."""
        self.page.locator(f".mailbox-text a[href*='{part_of_address}']").first.click()

    def press_button_in_mail(self, name: str) -> None:
        """Press a button of the mail as a page. It opens a tab, in which the visit goes on."""
        self.page.get_by_role("link", name="As a page", exact=True).click()
        with self.context.expect_page() as opened:
            self.page.frame_locator("iframe").get_by_role("link", name=name, exact=True).click()
        self.page.close()
        self.page = opened.value

    def attachment(self, name: str) -> str:
        """The text of a file that came with the open mail."""
        return self._saved(self.page.get_by_role("link", name=name, exact=True))

    def calendar_file(self, name: str = "Add to my calendar") -> str:
        """The text of the calendar file behind a link of the page."""
        return self._saved(self.thing(name))

    def _saved(self, link: Locator) -> str:
        with self.page.expect_download() as started:
            link.click()
        download: Download = started.value
        return download.path().read_text()
