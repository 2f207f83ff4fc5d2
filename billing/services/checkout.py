"""Buying a plan: from the press on "pay" to Stripe's page, and from there to a plan that is paid.

One open Checkout a person, held by the database under the person's lock. Its row is written before Stripe is asked
for anything, and the keys of all that is made there come from its id: two presses, or one after a crash, ask for the
same things in the same words and get the same customer and the same page. A row is closed only once Stripe has said
what became of it.
"""

from __future__ import annotations

import re
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.exceptions import NotVerified
from accounts.models import User
from billing import gateway
from billing.exceptions import (
    AccountLeaves,
    CheckoutNotYours,
    HasPlanAlready,
    PaymentPending,
    PlanNotOffered,
    SharesPlanAlready,
    StripeMissing,
    StripeRefused,
    StripeUnavailable,
)
from billing.gateway import StripeSession
from billing.models import (
    Checkout,
    CheckoutKind,
    CheckoutState,
    FamilyMember,
    Plan,
    PlanPrice,
    UserSubscription,
)
from billing.services import catalogue, syncing

logger = structlog.get_logger(__name__)

OPEN_FOR = timedelta(minutes=35)
"""Stripe keeps a page open for 30 minutes or more; five are left for clocks that differ."""
LEAST_LEFT = timedelta(minutes=5)
"""A page with less time than this is not given out again."""
ROUNDS = 3
BATCH = 50
_SESSION_ID = re.compile(r"cs_[A-Za-z0-9_]{1,250}")


def begin_plan(*, user: User, plan: Plan) -> str:
    """The address of Stripe's page where this person pays for the first month of this plan.

    An open page for the same plan and price is given out again; one for another is closed first. Raises NotVerified,
    AccountLeaves, PlanNotOffered, HasPlanAlready, SharesPlanAlready, PaymentPending, StripeUnavailable or StripeRefused; whatever it
    raises, nothing was taken, and a later press goes on from there.
    """
    price = catalogue.current_price(plan)
    refusal: StripeUnavailable | StripeRefused = StripeUnavailable()
    for _ in range(ROUNDS):
        checkout = _claim(user=user, price=price)
        try:
            session = _session_of(checkout)
        except StripeRefused as error:
            _give_up(checkout, error)
            refusal = error
            continue
        if session.status == "open" and checkout.state == CheckoutState.OPEN and _still_fits(checkout, price):
            return gateway.hosted(session.url)
        if session.status == "open":
            session = _expire(session)
        checkout = _settle(checkout, session)
        if checkout.state == CheckoutState.PAID:
            raise HasPlanAlready
        if checkout.state == CheckoutState.OPEN:
            raise PaymentPending
    raise refusal


def fulfil(session_id: str, *, user: User | None = None) -> Checkout:
    """Write down what has become of a Checkout: for the page people come back to, and for Stripe's posts alike.

    May run as often as one likes. ``user`` is the person who came back; somebody else's Checkout, or one that we did
    not make, raises CheckoutNotYours. Raises StripeUnavailable.
    """
    if not _SESSION_ID.fullmatch(session_id):
        raise CheckoutNotYours
    checkout = _known(stripe_session_id=session_id)
    if checkout is not None and user is not None and checkout.user_id != user.pk:
        raise CheckoutNotYours
    if checkout is not None and checkout.state == CheckoutState.PAID:
        return checkout
    try:
        session = gateway.session(session_id)
    except StripeMissing:
        raise CheckoutNotYours from None
    if checkout is None:
        checkout = _adopt(session, user)
    return _settle(checkout, session)


def close_open(*, user: User) -> None:
    """Close whatever page is open for this person, so that nothing can be paid there any more.

    One that was paid just now becomes the plan it paid for. Raises StripeUnavailable.
    """
    for checkout in Checkout.objects.open().filter(user=user).select_related("user", "plan"):
        _close(checkout)


def close_due() -> int:
    """Look at Checkouts whose time is over; how many are closed now. The rest are looked at again, the others first."""
    due = Checkout.objects.open().filter(expires_at__lte=timezone.now()).select_related("user", "plan")
    closed = 0
    try:
        for checkout in list(due.order_by("updated_at")[:BATCH]):
            # Behind the others first, so that one which cannot be closed holds nobody up.
            Checkout.objects.filter(pk=checkout.pk).update(updated_at=timezone.now())
            closed += _close(checkout, at_once=False).state != CheckoutState.OPEN
    except StripeUnavailable:
        logger.warning("stripe_checkouts_put_off", closed=closed)
    return closed


# --- The row --------------------------------------------------------------------------------------------


@transaction.atomic
def _claim(*, user: User, price: PlanPrice) -> Checkout:
    """The person's open Checkout, whichever plan it is for, or a new one for this price."""
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    _check_may_buy(user, price.plan_id)
    found = Checkout.objects.open().select_related("user", "plan").filter(user=user, kind=CheckoutKind.PLAN).first()
    if found is not None:
        return found
    return Checkout.objects.create(
        kind=CheckoutKind.PLAN,
        user=user,
        email=user.email,
        name=user.name or "",
        plan=price.plan,
        stripe_price_id=price.stripe_price_id,
        amount_cents=price.price_in_cents,
        stripe_customer_id=user.stripe_customer_id or "",
        expires_at=timezone.now() + OPEN_FOR,
    )


def _check_may_buy(user: User, plan_id: int) -> None:
    if not user.email_verified or not user.is_active:
        raise NotVerified
    if user.deletion_asked_at is not None:
        raise AccountLeaves
    if not Plan.objects.filter(pk=plan_id, is_offered=True).exists():
        raise PlanNotOffered
    if UserSubscription.objects.live().filter(user=user).exists():
        raise HasPlanAlready
    if FamilyMember.objects.current().filter(user=user).exists():
        raise SharesPlanAlready


def _still_fits(checkout: Checkout, price: PlanPrice) -> bool:
    return checkout.stripe_price_id == price.stripe_price_id and checkout.expires_at > timezone.now() + LEAST_LEFT


def _known(**fields: str) -> Checkout | None:
    return Checkout.objects.select_related("user", "plan", "subscription").filter(**fields).first()


def _adopt(session: StripeSession, user: User | None) -> Checkout:
    """The row behind a page whose number we had no time to write down."""
    checkout = _known(pk=session.metadata.get("checkout", ""))
    if checkout is None or (user is not None and checkout.user_id != user.pk):
        raise CheckoutNotYours
    _store_session(checkout, session.id)
    if checkout.stripe_session_id != session.id:
        raise CheckoutNotYours
    return checkout


# --- At Stripe ------------------------------------------------------------------------------------------


def _session_of(checkout: Checkout) -> StripeSession:
    """The Checkout's page as Stripe sees it, made where it is missing.

    Raises StripeRefused when there is none and none can be made.
    """
    if checkout.stripe_session_id is None:
        made = _make_session(checkout)
        if checkout.state == CheckoutState.OPEN and checkout.stripe_session_id == made.id:
            return made
    return gateway.session(str(checkout.stripe_session_id))


def _make_session(checkout: Checkout) -> StripeSession:
    _ensure_customer(checkout)
    # Stripe fills the number in only where the braces are left as they are.
    back = f"{settings.SITE_URL}{reverse('billing:checkout_return')}"
    made = gateway.create_plan_session(
        checkout_id=checkout.pk,
        customer_id=checkout.stripe_customer_id,
        user_id=checkout.user_id or 0,
        price_id=checkout.stripe_price_id,
        plan_name=checkout.plan.name if checkout.plan is not None else "",
        expires_at=checkout.expires_at,
        success_url=f"{back}?session_id={{CHECKOUT_SESSION_ID}}",
        cancel_url=back,
        key=f"checkout:{checkout.pk}",
    )
    _store_session(checkout, made.id)
    return made


def _ensure_customer(checkout: Checkout) -> None:
    """A customer of Stripe's for the person, under their present name and address."""
    if not checkout.stripe_customer_id:
        made = gateway.create_customer(
            email=checkout.email,
            name=checkout.name,
            user_id=checkout.user_id or 0,
            key=f"customer:{checkout.pk}",
        )
        _store_customer(checkout, made)
        return
    before = (
        Checkout.objects.filter(stripe_customer_id=checkout.stripe_customer_id)
        .exclude(pk=checkout.pk)
        .order_by("-created_at")
        .first()
    )
    if before is None or (before.email, before.name) != (checkout.email, checkout.name):
        gateway.update_customer(customer_id=checkout.stripe_customer_id, email=checkout.email, name=checkout.name)


@transaction.atomic
def _store_customer(checkout: Checkout, customer_id: str) -> None:
    user = _locked_person(checkout)
    if not user.stripe_customer_id:
        user.stripe_customer_id = customer_id
        user.save(update_fields=["stripe_customer_id", "updated_at"])
    checkout.stripe_customer_id = user.stripe_customer_id
    Checkout.objects.filter(pk=checkout.pk).update(
        stripe_customer_id=checkout.stripe_customer_id, updated_at=timezone.now()
    )


@transaction.atomic
def _store_session(checkout: Checkout, session_id: str) -> None:
    """Write the page's number down, and see what has become of the row in the meantime."""
    _locked_person(checkout)
    row = Checkout.objects.select_for_update(no_key=True).get(pk=checkout.pk)
    if row.stripe_session_id is None:
        row.stripe_session_id = session_id
        row.save(update_fields=["stripe_session_id", "updated_at"])
    checkout.stripe_session_id, checkout.state = row.stripe_session_id, row.state


def _expire(session: StripeSession) -> StripeSession:
    """Close the page; one that is closed or paid already is looked at again."""
    try:
        return gateway.expire_session(session.id)
    except StripeRefused:
        return gateway.session(session.id)


# --- What became of it ----------------------------------------------------------------------------------


def _close(checkout: Checkout, *, at_once: bool = True) -> Checkout:
    if not checkout.stripe_session_id and not checkout.stripe_customer_id:
        return _finish(checkout, CheckoutState.EXPIRED)  # without a customer there is no page
    try:
        session = _session_of(checkout)
    except StripeRefused as error:
        return _give_up(checkout, error)
    if session.status == "open" and at_once:
        session = _expire(session)
    return _settle(checkout, session)


def _settle(checkout: Checkout, session: StripeSession) -> Checkout:
    """The row after what Stripe says of its page; untouched while Stripe has not said the last word."""
    if session.is_paid:
        return _settle_paid(checkout, session)
    if session.status == "expired":
        return _finish(checkout, CheckoutState.EXPIRED)
    if session.status == "complete" and not gateway.subscription(session.subscription_id).may_be_paid:
        return _finish(checkout, CheckoutState.FAILED)
    return checkout


def _settle_paid(checkout: Checkout, session: StripeSession) -> Checkout:
    if session.invoice_id:
        syncing.sync_invoice(session.invoice_id)
    else:
        syncing.sync_subscription(session.subscription_id)
    row = UserSubscription.objects.filter(stripe_subscription_id=session.subscription_id).first()
    if row is None and checkout.user is not None and checkout.user.is_active:
        # Stripe contradicts itself for a moment: left open, so nobody is asked to pay again, and looked at later.
        logger.warning("stripe_paid_without_plan", checkout=checkout.pk, subscription=session.subscription_id)
        return checkout
    return _finish(checkout, CheckoutState.PAID, subscription=row)


def _give_up(checkout: Checkout, refusal: StripeRefused) -> Checkout:
    """Stripe has no such page and makes none in these words: the next try begins with a fresh row."""
    if isinstance(refusal, StripeMissing) and checkout.stripe_customer_id:
        _forget_lost_customer(checkout.stripe_customer_id)
    logger.warning("stripe_checkout_given_up", checkout=checkout.pk, code=refusal.code)
    return _finish(checkout, CheckoutState.FAILED)


def _forget_lost_customer(customer_id: str) -> None:
    if not gateway.customer_exists(customer_id):
        User.objects.filter(stripe_customer_id=customer_id).update(stripe_customer_id=None, updated_at=timezone.now())


@transaction.atomic
def _finish(checkout: Checkout, state: str, *, subscription: UserSubscription | None = None) -> Checkout:
    """Close the row, unless it was closed or got another page meanwhile. Money that arrived has the last word."""
    _locked_person(checkout)
    row = (
        Checkout.objects.select_related("user", "plan", "subscription")
        .select_for_update(of=("self",), no_key=True)
        .get(pk=checkout.pk)
    )
    is_other = row.state != CheckoutState.OPEN or row.stripe_session_id != checkout.stripe_session_id
    if row.state == CheckoutState.PAID or (is_other and state != CheckoutState.PAID):
        return row
    row.state, row.finished_at = state, timezone.now()
    row.subscription = subscription
    row.save(update_fields=["state", "finished_at", "subscription", "updated_at"])
    return row


def _locked_person(checkout: Checkout) -> User:
    return User.objects.select_for_update(no_key=True).get(pk=checkout.user_id)
