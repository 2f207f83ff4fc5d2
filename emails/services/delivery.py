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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import Any

import structlog
from django.conf import settings

from emails import gateway, rendering, unsubscribing, wording
from emails.exceptions import LookUpUnavailable, MailgunUnreachable, TemplateFault
from emails.gateway import Fate
from emails.models import Choice, EmailStatus, Priority, Stream
from emails.services import breaker, queue, settling, throttle
from emails.services.queue import Job, Outcome
from emails.services.settling import Report, Settler
from settings_app import crypto
from settings_app.exceptions import CannotDecrypt

logger = structlog.get_logger(__name__)

RUN_SECONDS = 15.0
"""No claim and no post begins later in a run. The last post may take 13 s more, and the task's soft limit is 30."""

THROTTLED_WAIT_SECONDS = 0.1
LOOK_UP_WAIT_SECONDS = 60.0
"""Mailgun's logs lag behind, so a mail just posted may not be found yet."""

GIVE_UP_LOOKING = timedelta(minutes=15)
"""When Mailgun cannot be asked for so long, the mail is sent again: twice is better than never."""

CLEAR_TIMEOUT = (1.0, 2.0)
"""For each of Mailgun's three lists, before a mail that may go to a stopped address."""

FAULT_WAIT_SECONDS = 60.0
NETWORK_WAIT_SECONDS = 15.0
OLDEST_FIRST_EVERY = 10

_claims = itertools.count(random.randrange(OLDEST_FIRST_EVERY))
_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def drain(*, batch_size: int | None = None, critical_only: bool = False, seconds: float = RUN_SECONDS) -> Report:
    """Send what is due until nothing is, for ``seconds`` at most. Any number of these may run at once."""
    size = batch_size or settings.EMAIL_BATCH_SIZE
    threads = settings.EMAIL_SENDER_THREADS
    deadline = time.monotonic() + seconds
    report = Report()
    settler = Settler(report)
    arrived: SimpleQueue[Outcome] = SimpleQueue()
    flying = 0  # how many outcomes are still to arrive
    may_claim = True
    fault: Exception | None = None
    while may_claim or flying:
        wait = settling.SETTLE_SECONDS
        if may_claim and flying < threads:
            if time.monotonic() >= deadline:
                report.has_more = True
                may_claim = False
            elif breaker.is_paused():
                may_claim = False
            elif flying and breaker.is_probing():
                pass  # the probe's answer decides what comes next
            else:
                try:
                    jobs, may_claim = _claim(size, critical_only)
                    report.claimed += len(jobs)
                    flying += _launch(jobs, settler, arrived, deadline)
                    settler.flush_when_due(is_last=not flying)
                except Exception as error:
                    # The mails in the air have answers coming: those are kept first.
                    fault, may_claim = error, False
                else:
                    if jobs and may_claim and flying < threads:
                        continue
                    if may_claim and not jobs:
                        wait = THROTTLED_WAIT_SECONDS
        if flying or may_claim:
            flying -= _collect(arrived, settler, wait)
            settler.flush_when_due(is_last=not flying)
    settler.flush()
    if fault:
        raise fault
    return report


def recover(*, batch_size: int | None = None, seconds: float = RUN_SECONDS) -> int:
    """Ask Mailgun about every mail whose worker or answer was lost; returns how many were decided.

    Found: it counts as sent. Not found: it is queued again, and a try is used up. One batch is one round of the
    threads, so that a Mailgun that hangs does not hold it past the task's own limit, where nothing would be kept.
    """
    batch_size = batch_size or settings.EMAIL_SENDER_THREADS
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


def _claim(size: int, critical_only: bool) -> tuple[list[Job], bool]:
    """What may go out now, and whether there may be more. Never more than the shared limit grants.

    Where the limit leaves nothing for all, high and critical mail may have what is kept back for it.
    """
    limit = 1 if breaker.is_probing() else size
    oldest_first = not critical_only and next(_claims) % OLDEST_FIRST_EVERY == OLDEST_FIRST_EVERY - 1
    lowest = queue.CRITICAL_RANK if critical_only else queue.EVERY_RANK
    granted = throttle.take(limit, urgent=critical_only or oldest_first)
    if not granted and not critical_only and not oldest_first:
        lowest = queue.URGENT_RANK
        granted = throttle.take(limit, urgent=True)
    if not granted:
        return [], True
    jobs: list[Job] = []
    try:
        jobs = queue.claim(limit=granted, lowest_rank=lowest, oldest_first=oldest_first)
    finally:
        throttle.give_back(granted - len(jobs))
    return jobs, len(jobs) == granted or lowest == queue.URGENT_RANK


def _launch(jobs: list[Job], settler: Settler, arrived: SimpleQueue[Outcome], deadline: float) -> int:
    """Hand the jobs to the sender threads and say how many; what must not be sent is settled at once."""
    if not jobs:
        return 0
    words = wording.find_known(job.template_type for job in jobs)
    site = rendering.site_values()
    pool = _pool(settings.EMAIL_SENDER_THREADS)
    count = 0
    # All are judged before one leaves: a fault in between would forget the outcomes of those in the air.
    verdicts = [_verdict(job, wording.with_draft(words[job.template_type], job.content)) for job in jobs]
    for job, verdict in zip(jobs, verdicts, strict=True):
        if isinstance(verdict, Outcome):
            settler.add(verdict)
        else:
            pool.submit(_fly, arrived, job, verdict, site, deadline)
            count += 1
    throttle.give_back(len(jobs) - count)
    return count


def _collect(arrived: SimpleQueue[Outcome], settler: Settler, wait: float) -> int:
    """Wait for an outcome, then take all that are there."""
    count = 0
    try:
        settler.add(arrived.get(timeout=wait))
        count += 1
        while True:
            settler.add(arrived.get_nowait())
            count += 1
    except Empty:
        return count


def _verdict(job: Job, words: wording.Wording | None) -> Outcome | wording.Wording:
    """The outcome of a job that is not to be sent; else the wording to send it with."""
    if job.is_expired:
        if job.priority == Priority.CRITICAL:
            logger.error("mail_critical_expired", job=job.id, template=job.template_type)
        return _outcome(job, EmailStatus.CANCELLED, "expired: it could not be sent in time")
    if cause := queue.why_stopped(job, words.choice if words else ""):
        return _outcome(job, EmailStatus.CANCELLED, f"suppressed: {cause}")
    if words is None:
        logger.error("mail_template_unknown", template=job.template_type, job=job.id)
        return _outcome(job, EmailStatus.FAILED, f"There is no template named {job.template_type}.")
    if not words.is_active and job.stream != Stream.SECURITY:
        return _outcome(job, EmailStatus.CANCELLED, "This kind of mail is switched off.")
    return words


def _pool(threads: int) -> ThreadPoolExecutor:
    """The sender threads of this process. Keyed by process, since threads do not survive a fork."""
    key = (os.getpid(), threads)
    if key not in _pools:
        _pools[key] = ThreadPoolExecutor(threads, thread_name_prefix="mail")
    return _pools[key]


# --- The sender threads: no database here ---------------------------------------------------------------


def _fly(
    arrived: SimpleQueue[Outcome], job: Job, words: wording.Wording, site: Mapping[str, str], deadline: float
) -> None:
    try:
        outcome = _send(job, words, site, deadline)
    except BaseException:
        # Unforeseen, so perhaps after the post: look it up rather than guess.
        logger.exception("mail_send_broke", job=job.id)
        outcome = _outcome(job, EmailStatus.SENDING, "It broke while sending.", wait_seconds=LOOK_UP_WAIT_SECONDS)
    arrived.put(outcome)


def _send(job: Job, words: wording.Wording, site: Mapping[str, str], deadline: float) -> Outcome:
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
    cleared = _clear(job)
    if cleared and time.monotonic() >= deadline:
        return _outcome(job, EmailStatus.QUEUED, cleared=cleared)
    try:
        answer = gateway.send(letter)
    except Exception as error:
        # Unforeseen, so perhaps after the post: look it up rather than guess.
        logger.exception("mail_send_broke", job=job.id)
        answer = gateway.Answer(Fate.UNSURE, f"{type(error).__name__} while sending")
    return replace(_judge(job, letter, answer), template_version=words.version, cleared=cleared)


def _clear(job: Job) -> queue.Stop | None:
    """Take the address off Mailgun's own lists, or it would drop this mail with a 200. The stop, when done."""
    if job.stop is None or not job.stop.is_at_mailgun:
        return None
    try:
        gateway.clear_suppression(job.recipient_email, timeout=CLEAR_TIMEOUT)
    except MailgunUnreachable as refusal:
        # Sent all the same: what Mailgun's list holds we only think we know.
        logger.warning("mail_not_cleared", job=job.id, detail=refusal.message)
        return None
    return job.stop


def _compose(job: Job, words: wording.Wording, site: Mapping[str, str]) -> gateway.Letter:
    context = dict(job.content.get("context", {}))
    if job.content.get("secrets"):
        purpose = rendering.secrets_purpose(job.template_type, job.occasion or "")
        context.update(json.loads(crypto.decrypt(job.content["secrets"], purpose=purpose)))
    name = job.recipient_name or ""
    choice = words.choice or (Choice.NEWS.value if job.stream == Stream.NEWS else "")
    finished = rendering.render(
        words,
        context,
        site=site,
        recipient_name=name,
        subject_line=job.subject,
        choice_url=unsubscribing.link(job.recipient_email, choice) if choice else "",
    )
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
        headers=unsubscribing.headers(job.recipient_email, choice) if choice else {},
    )


def _judge(job: Job, letter: gateway.Letter, answer: gateway.Answer) -> Outcome:
    """What an answer does to its job (Mailgun facts, "Answers, and what each one does")."""
    match answer.fate:
        case Fate.ACCEPTED:
            breaker.answered()
            theirs = answer.message_id if answer.message_id != job.message_id else None
            subject = letter.subject if letter.subject != job.subject else None
            return _outcome(job, EmailStatus.SENT, subject=subject, message_id=theirs)
        case Fate.BAD_ADDRESS:
            breaker.answered()
            tell = logger.error if job.priority == Priority.CRITICAL else logger.info
            tell("mail_address_refused", job=job.id)
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


def _find_out(job: Job) -> Outcome:
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


def _again(job: Job, detail: str) -> Outcome:
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


def _outcome(job: Job, status: EmailStatus, error: str | None = None, **more: Any) -> Outcome:
    return Outcome(job_id=job.id, lease_token=job.lease_token, status=status, error=error, **more)
