"""Sending what is due, and finding out what became of a mail whose answer was lost.

One run: claim a batch in one statement, send it from several threads with no transaction open, settle in
groups. The database stays in the main thread; a sender thread only renders, posts and judges. Nothing here
sends a mail whose fate is unknown: such a row stays "sending" until ``recover`` has asked Mailgun.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings

from emails import gateway, rendering, wording
from emails.exceptions import LookUpUnavailable, TemplateFault
from emails.gateway import Fate
from emails.models import EmailStatus, Priority, Stream
from emails.services import breaker, queue
from emails.services.queue import Outcome
from settings_app import crypto
from settings_app.exceptions import CannotDecrypt

logger = structlog.get_logger(__name__)

RUN_SECONDS = 15.0
"""No claim and no post begins later in a run. The last post may take 13 s more, and the task's soft limit is 30."""

SETTLE_GROUP = 25
SETTLE_SECONDS = 0.05
LOOK_UP_WAIT_SECONDS = 60.0
"""Mailgun's logs lag behind, so a mail just posted may not be found yet."""

GIVE_UP_LOOKING = timedelta(minutes=15)
"""When Mailgun cannot be asked for so long, the mail is sent again: twice is better than never."""

FAULT_WAIT_SECONDS = 60.0
NETWORK_WAIT_SECONDS = 15.0
OLDEST_FIRST_EVERY = 10

_claims = itertools.count(random.randrange(OLDEST_FIRST_EVERY))
_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


@dataclass
class Report:
    """One run in figures; ``has_more`` when it ended before the queue did."""

    claimed: int = 0
    sent: int = 0
    has_more: bool = False


def drain(*, batch_size: int | None = None, critical_only: bool = False, seconds: float = RUN_SECONDS) -> Report:
    """Send what is due until nothing is, for ``seconds`` at most. Any number of these may run at once."""
    size = batch_size or settings.EMAIL_BATCH_SIZE
    threads = settings.EMAIL_SENDER_THREADS
    deadline = time.monotonic() + seconds
    report = Report()
    settler = _Settler(report)
    flying: set[Future[Outcome]] = set()
    may_claim = True
    while may_claim or flying:
        while may_claim and len(flying) < threads:
            if time.monotonic() >= deadline:
                report.has_more = True
                may_claim = False
            elif breaker.is_paused():
                may_claim = False
            else:
                is_probing = breaker.is_probing()
                if is_probing and flying:
                    break  # the probe's answer decides what comes next
                limit = 1 if is_probing else size
                jobs = _claim(limit, critical_only)
                report.claimed += len(jobs)
                flying |= _launch(jobs, settler, deadline)
                may_claim = len(jobs) == limit
        if flying:
            done, flying = wait(flying, timeout=SETTLE_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                settler.add(future.result())
            settler.flush_when_due(is_last=not flying)
    settler.flush()
    return report


def recover(*, batch_size: int = 100, seconds: float = RUN_SECONDS) -> int:
    """Ask Mailgun about every mail whose worker or answer was lost; returns how many were decided.

    Found: it counts as sent. Not found: it is queued again, and a try is used up.
    """
    deadline = time.monotonic() + seconds
    pool = _pool(settings.EMAIL_SENDER_THREADS)
    decided = 0
    while time.monotonic() < deadline:
        jobs = queue.take_over(limit=batch_size)
        if not jobs:
            break
        outcomes = list(pool.map(_find_out, jobs))
        queue.settle(outcomes)
        decided += sum(outcome.status != EmailStatus.SENDING for outcome in outcomes)
        if len(jobs) < batch_size:
            break
    return decided


# --- The main thread ------------------------------------------------------------------------------------


def _claim(limit: int, critical_only: bool) -> list[Any]:
    oldest_first = not critical_only and next(_claims) % OLDEST_FIRST_EVERY == OLDEST_FIRST_EVERY - 1
    return queue.claim(limit=limit, critical_only=critical_only, oldest_first=oldest_first)


def _launch(jobs: list[Any], settler: _Settler, deadline: float) -> set[Future[Outcome]]:
    """Hand the jobs to the sender threads; what must not be sent is settled at once."""
    if not jobs:
        return set()
    words = wording.find_known(job.template_type for job in jobs)
    site = rendering.site_values()
    pool = _pool(settings.EMAIL_SENDER_THREADS)
    futures: set[Future[Outcome]] = set()
    for job in jobs:
        verdict = _verdict(job, words[job.template_type])
        if isinstance(verdict, Outcome):
            settler.add(verdict)
        else:
            futures.add(pool.submit(_send, job, verdict, site, deadline))
    settler.flush_when_due(is_last=not futures)
    return futures


def _verdict(job: Any, words: wording.Wording | None) -> Outcome | wording.Wording:
    """The outcome of a job that is not to be sent; else the wording to send it with."""
    if job.is_expired:
        return _outcome(job, EmailStatus.CANCELLED, "expired: it could not be sent in time")
    if queue.is_suppressed(job.suppression, job.stream):
        return _outcome(job, EmailStatus.CANCELLED, f"suppressed: {job.suppression}")
    if words is None:
        logger.error("mail_template_unknown", template=job.template_type, job=job.id)
        return _outcome(job, EmailStatus.FAILED, f"There is no template named {job.template_type}.")
    if not words.is_active and job.stream != Stream.SECURITY:
        return _outcome(job, EmailStatus.CANCELLED, "This kind of mail is switched off.")
    return words


class _Settler:
    """Collects outcomes and writes them in groups: 25, or what 50 ms brought."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._waiting: list[Outcome] = []
        self._since = 0.0

    def add(self, outcome: Outcome) -> None:
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(outcome)

    def flush_when_due(self, *, is_last: bool) -> None:
        late = time.monotonic() - self._since >= SETTLE_SECONDS
        if self._waiting and (is_last or late or len(self._waiting) >= SETTLE_GROUP):
            self.flush()

    def flush(self) -> None:
        outcomes, self._waiting = self._waiting, []
        kept = queue.settle(outcomes)
        self._report.sent += sum(outcome.status == EmailStatus.SENT for outcome in outcomes)
        if kept < len(outcomes):
            # Taken over after our lease ran out; who took over decides.
            logger.warning("mail_lease_lost", count=len(outcomes) - kept)


def _pool(threads: int) -> ThreadPoolExecutor:
    """The sender threads of this process. Keyed by process, since threads do not survive a fork."""
    key = (os.getpid(), threads)
    if key not in _pools:
        _pools[key] = ThreadPoolExecutor(threads, thread_name_prefix="mail")
    return _pools[key]


# --- The sender threads: no database here ---------------------------------------------------------------


def _send(job: Any, words: wording.Wording, site: Mapping[str, str], deadline: float) -> Outcome:
    if time.monotonic() >= deadline or breaker.is_stopped_here():
        return _outcome(job, EmailStatus.QUEUED)
    try:
        letter = _compose(job, words, site)
    except (TemplateFault, CannotDecrypt) as fault:
        logger.error("mail_not_rendered", job=job.id, template=job.template_type, fault=str(fault))
        return _outcome(job, EmailStatus.FAILED, f"It could not be written: {fault}")
    except Exception as error:
        logger.exception("mail_not_rendered", job=job.id, template=job.template_type)
        return _outcome(job, EmailStatus.FAILED, f"It could not be written: {type(error).__name__}")
    try:
        answer = gateway.send(letter)
    except Exception as error:
        # Unforeseen, so perhaps after the post: look it up rather than guess.
        logger.exception("mail_send_broke", job=job.id)
        answer = gateway.Answer(Fate.UNSURE, f"{type(error).__name__} while sending")
    return _judge(job, letter, answer)


def _compose(job: Any, words: wording.Wording, site: Mapping[str, str]) -> gateway.Letter:
    context = dict(job.content.get("context", {}))
    if job.content.get("secrets"):
        purpose = rendering.secrets_purpose(job.template_type, job.occasion)
        context.update(json.loads(crypto.decrypt(job.content["secrets"], purpose=purpose)))
    name = job.recipient_name or ""
    finished = rendering.render(words, context, site=site, recipient_name=name, subject_line=job.subject)
    return gateway.Letter(
        message_id=job.message_id,
        to=job.recipient_email,
        name=name,
        subject=finished.subject,
        text=finished.text,
        html=finished.html,
        job_id=job.id,
        reply_to=site["business_email"],
        tags=[job.template_type, job.stream],
        is_tracked=job.stream != Stream.SECURITY,
        attachments=job.content.get("attachments", ()),
    )


def _judge(job: Any, letter: gateway.Letter, answer: gateway.Answer) -> Outcome:
    """What an answer does to its job (Mailgun facts, "Answers, and what each one does")."""
    match answer.fate:
        case Fate.ACCEPTED:
            breaker.answered()
            theirs = answer.message_id if answer.message_id != job.message_id else None
            subject = letter.subject if letter.subject != job.subject else None
            return _outcome(job, EmailStatus.SENT, subject=subject, message_id=theirs)
        case Fate.BAD_ADDRESS:
            breaker.answered()
            logger.info("mail_address_refused", job=job.id)
            return _outcome(job, EmailStatus.FAILED, answer.detail)
        case Fate.REFUSED:
            breaker.answered()
            logger.error("mail_refused", job=job.id, template=job.template_type)
            return _outcome(job, EmailStatus.FAILED, answer.detail)
        case Fate.MISCONFIGURED:
            breaker.misconfigured(answer.detail)
            return _outcome(job, EmailStatus.QUEUED, answer.detail, wait_seconds=FAULT_WAIT_SECONDS)
        case Fate.TOO_FAST:
            breaker.slow_down(answer.wait_seconds)
            return _outcome(job, EmailStatus.QUEUED, answer.detail, wait_seconds=answer.wait_seconds)
        case Fate.NOT_SENT:
            breaker.refused_connection()
            return _outcome(job, EmailStatus.QUEUED, answer.detail, wait_seconds=NETWORK_WAIT_SECONDS)
        case Fate.UNSURE:
            logger.warning("mail_unsure", job=job.id, detail=answer.detail)
            if not settings.MAILGUN_READ_API_KEY:
                return _again(job, answer.detail)
            return _outcome(job, EmailStatus.SENDING, answer.detail, wait_seconds=LOOK_UP_WAIT_SECONDS)


def _find_out(job: Any) -> Outcome:
    """Look one mail up and decide; called only a minute or more after its last try."""
    try:
        taken_at = gateway.look_up(job.message_id, attempted_at=job.last_attempt_at)
    except LookUpUnavailable as refusal:
        if settings.MAILGUN_READ_API_KEY and job.attempt_age < GIVE_UP_LOOKING:
            return _outcome(job, EmailStatus.SENDING, str(refusal), wait_seconds=LOOK_UP_WAIT_SECONDS)
        logger.error("mail_not_looked_up", job=job.id, detail=str(refusal))
        return _again(job, str(refusal))
    if taken_at is not None:
        return _outcome(job, EmailStatus.SENT, sent_at=taken_at)
    return _again(job, "Mailgun does not know it.")


def _again(job: Any, detail: str) -> Outcome:
    """Queue for another try after 1 minute, 8 minutes, about an hour; give up past ``max_retries``."""
    retries = job.retry_count + 1
    if retries > job.max_retries:
        tell = logger.error if job.priority == Priority.CRITICAL else logger.warning
        tell("mail_given_up", job=job.id, template=job.template_type)
        return _outcome(job, EmailStatus.FAILED, f"Given up after {retries} tries. {detail}")
    return _outcome(job, EmailStatus.QUEUED, detail, retries=1, wait_seconds=back_off(retries))


def back_off(retries: int) -> float:
    """Seconds before the next try: 60 s x 8^(n-1), a quarter more or less so that a batch spreads out."""
    return 60.0 * 8.0 ** (retries - 1) * random.uniform(0.75, 1.25)


def _outcome(job: Any, status: EmailStatus, error: str | None = None, **more: Any) -> Outcome:
    return Outcome(job_id=job.id, lease_token=job.lease_token, status=status, error=error, **more)
