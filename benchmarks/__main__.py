"""``python -m benchmarks``: measure, print, and write docs/performance.md. ``--quick`` writes nothing."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from benchmarks.bookings import BookingResults, MiniVisitors, check_rows, count_bookings, measure_bookings
from benchmarks.burst import burst_section, measure_burst
from benchmarks.cpu import memory_mb
from benchmarks.mail import shape as mail_shape
from benchmarks.mail.measure import measure_growth, measure_mail
from benchmarks.mail.report import MailResults, growth_table, mail_section
from benchmarks.measure import Meter, Series
from benchmarks.pages import Page, PageResults, all_pages, measure_pages
from benchmarks.people import Visitors, words_of
from benchmarks.report import Facts, Report, document, make_report, postgres_version
from benchmarks.shape import BURST_SUBSCRIPTIONS, FULL, QUICK, QUICK_SUBSCRIPTIONS, READERS, Windows
from benchmarks.stage import BARE, PRODUCT, ROOT, Stage, WebServer
from benchmarks.table import Target
from benchmarks.webhooks import MailgunPosts, StripePosts, WebhookResults, measure_webhooks, webhook_section
from sandbox.errors import Refusal

DOCUMENT = ROOT / "docs" / "performance.md"
_began = time.monotonic()


def say(words: str) -> None:
    print(f"{time.monotonic() - _began:6.1f} s  {words}", flush=True)


def stop_on(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def measure_log_ins(meter: Meter, visitors: Visitors, product: WebServer, windows: Windows) -> Series:
    """Right passwords only, everybody in turn."""
    fields, csrf = visitors.form("/accounts/login/", None)
    series = Series()
    log_ins = visitors.log_ins(fields, csrf)
    for _ in range(windows.rounds):
        sample = meter.window(product, log_ins, seconds=windows.log_in, what="log-in", expected=frozenset({302}))
        series.add(sample)
    return series


def count_statements(stage: Stage, visitors: Visitors, pages: list[Page]) -> dict[str, dict[str, int]]:
    """Statements of each page and of one booking, which is made here and counts as one more."""
    slot, _ = visitors.facts["slots"][0]
    person = READERS - 1
    post = f"/booking/{slot}/"
    fields, _ = visitors.form(post, person)
    question = {
        "session": visitors.facts["sessions"][person],
        "signed_out": [page.path for page in pages if not page.signed_in],
        "signed_in": [page.path for page in pages if page.signed_in],
        "posts": {post: fields},
    }
    return stage.ask(PRODUCT, "benchmarks.statements", question)


def measure_posts(
    stage: Stage, meter: Meter, product: WebServer, bare: WebServer, windows: Windows
) -> list[WebhookResults]:
    return [
        measure_webhooks(stage, meter, vendor, product=product, bare=bare, windows=windows, say=say)
        for vendor in (MailgunPosts(), StripePosts())
    ]


def subscribers(windows: Windows) -> int:
    return QUICK_SUBSCRIPTIONS if windows is QUICK else BURST_SUBSCRIPTIONS


def run(windows: Windows, load: mail_shape.Load, sizes: tuple[int, ...]) -> tuple[Report, str]:
    with Stage(say) as stage:
        say("Making the databases …")
        stage.prepare()
        visitors = Visitors(stage.ask(PRODUCT, "benchmarks.seed"), 0)
        minis = MiniVisitors(stage.ask(BARE, "benchmarks.bare.prepare"))
        with stage.connect() as connection:
            seeded = count_bookings(connection)
        product = stage.start_web("product", "techdeputies.wsgi", "/livez")
        cold = stage.start_web("cold", "benchmarks.cold", "/livez")
        bare = stage.start_web("bare", "benchmarks.bare.wsgi", "/alive/", stage.bare_env)
        visitors.port = product.port

        meter = Meter(stage.postgres_pid)
        pages = all_pages(visitors.facts["hot"][-1][0])  # a time that no reader has booked
        statements = count_statements(stage, visitors, pages)
        results = measure_pages(
            meter, visitors, product=product, cold=cold, bare=bare, windows=windows, pages=pages, say=say
        )
        cold.stop()
        memory = max(memory_mb(product.pid))
        say("Log-ins …")
        log_in = measure_log_ins(meter, visitors, product, windows)
        booked = measure_bookings(
            meter, visitors, minis, product=product, bare=bare, pgbench=stage.pgbench, windows=windows, say=say
        )
        facts = gather(stage, meter, product, results, booked, statements, log_in, seeded, memory)
        for words in facts.unexpected:
            say(words)
        postgres = postgres_version(stage.postgres.install / "bin" / "postgres")
        posts = measure_posts(stage, meter, product, bare, windows)
        product.stop()
        bare.stop()
        burst = measure_burst(stage, say=say, subscriptions=subscribers(windows))
        mail, letter = measure_mail(stage, load, sizes=sizes, say=say)
    report = make_report(results, booked, facts)
    report.mail = "\n".join([*map(webhook_section, posts), burst_section(burst), mail_section(mail, letter)])
    report.targets += [*(target for vendor in posts for target in vendor.targets), *burst.targets, *mail.targets]
    return report, postgres


def run_part(part: str, windows: Windows, load: mail_shape.Load, sizes: tuple[int, ...]) -> list[Target]:
    """One part by itself: printed, not written."""
    with Stage(say) as stage:
        say("Making the databases …")
        stage.prepare()
        if part == "webhooks":
            stage.ask(BARE, "benchmarks.bare.prepare")
            product = stage.start_web("product", "techdeputies.wsgi", "/livez")
            bare = stage.start_web("bare", "benchmarks.bare.wsgi", "/alive/", stage.bare_env)
            meter = Meter(stage.postgres_pid)
            posts = measure_posts(stage, meter, product, bare, windows)
            print("", *map(webhook_section, posts), sep="\n")
            return [target for vendor in posts for target in vendor.targets]
        if part == "burst":
            burst = measure_burst(stage, say=say, subscriptions=subscribers(windows))
            print("", burst_section(burst), sep="\n")
            return burst.targets
        if part == "growth":
            results = MailResults({}, measure_growth(stage, sizes, say), [], load)
            print("", growth_table(results), sep="\n")
        else:
            results, letter = measure_mail(stage, load, sizes=sizes, say=say)
            print("", mail_section(results, letter), sep="\n")
    return results.targets


def gather(
    stage: Stage,
    meter: Meter,
    product: WebServer,
    pages: PageResults,
    booked: BookingResults,
    statements: dict[str, dict[str, int]],
    log_in: Series,
    seeded: int,
    memory: float,
) -> Facts:
    """Everything that is known only at the end."""
    with stage.connect() as connection:
        rows = check_rows(connection)
        found = count_bookings(connection)
    return Facts(
        statements=statements,
        booking_statements=next(iter(statements["posts"].values())),
        log_in=log_in,
        rows=rows,
        bookings_expected=seeded + booked.accepted + len(statements["posts"]),
        bookings_found=found,
        server_errors=meter.server_errors,
        requests=meter.requests,
        unexpected=[f"Unexpected, {what}: {words_of(answer)}" for (what, _), answer in meter.odd.items()],
        seconds_to_answer=product.seconds_to_answer,
        memory=memory,
        memory_after_log_ins=max(memory_mb(product.pid)),
    )


def print_missed(targets: list[Target]) -> None:
    for target in targets:
        if target.met is False:
            print(f"Not met: {target.what}: {target.shown}, wanted {target.bound}")


def main() -> int:
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--quick", action="store_true", help="one short round, and docs/performance.md stays")
    options.add_argument(
        "--only", choices=("mail", "growth", "webhooks", "burst"), help="only this part; docs/performance.md stays"
    )
    words = f"claims with {mail_shape.GROWTH_MOST:,} finished mails, too: some minutes and 5 GB more"
    options.add_argument("--growth", action="store_true", help=words)
    options.add_argument("--write", type=Path, default=DOCUMENT, help="where the report is written")
    chosen = options.parse_args()
    windows = QUICK if chosen.quick else FULL
    load = mail_shape.QUICK if chosen.quick else mail_shape.FULL
    sizes = (*mail_shape.GROWTH, *([mail_shape.GROWTH_MOST] if chosen.growth else []))
    signal.signal(signal.SIGTERM, stop_on)
    try:
        if chosen.only:
            print_missed(run_part(chosen.only, windows, load, sizes))
            return 0
        report, postgres = run(windows, load, sizes)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    print("", report.pages, report.bookings, report.others, report.mail, sep="\n\n")
    print_missed(report.targets)
    if not chosen.quick:
        chosen.write.write_text(document(report, windows, postgres))
        say(f"Written to {chosen.write}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
