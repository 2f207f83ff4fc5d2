"""Money goes back once, never more than was paid, and the rows say what Stripe says."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_admin, make_user
from accounts.tests.helpers import race
from audit.actors import Actor
from audit.models import AdminActionAudit
from billing import gateway
from billing.exceptions import NothingToRefund, PaymentDisputed, RefundTooMuch, StripeUnavailable
from billing.models import AlertKind, Payment, Refund, RefundState, StaffAlert, UserSubscription
from billing.services import disputes, refunds, syncing
from billing.tests.buying import GOOD_CARD, buy
from billing.tests.factories import make_plan
from emails.models import EmailJob
from sandbox.stripe import StandIn
from sandbox.stripe.faults import accept_then_reset

PENDING_CARD = "4000000000007726"

pytestmark = pytest.mark.django_db


def paid(stripe: StandIn, *, card: str = GOOD_CARD, user: User | None = None) -> Payment:
    """Somebody's first month, paid with this card: $99."""
    number = buy(stripe, user or make_user(name="Margaret Ellis"), make_plan(price_in_cents=9900), card=card)
    payment = syncing.sync_invoice(gateway.invoices_of(number)[0].id)
    assert payment is not None
    return payment


def ask(payment: Payment, cents: int = 9900, **fields: Any) -> Refund:
    return refunds.ask(payment=payment, amount_cents=cents, reason="They asked for it.", **fields)


def at_stripe(payment: Payment) -> list[gateway.StripeRefund]:
    return gateway.refunds_of(str(payment.stripe_payment_intent_id))


def made_at_stripe(payment: Payment, cents: int) -> gateway.StripeRefund:
    """As in Stripe's dashboard: without a word to us."""
    return gateway.create_refund(
        payment_intent_id=str(payment.stripe_payment_intent_id),
        amount_cents=cents,
        metadata={},
        key=f"dashboard:{cents}:{time.monotonic()}",
    )


def mails(template: str = "plan_refunded") -> list[EmailJob]:
    return list(EmailJob.objects.filter(template_type=template))


def gone(payment: Payment) -> int:
    payment.refresh_from_db()
    return payment.refunded_cents


class TestAsking:
    def test_it_counts_at_once_and_is_sent_later(self, stripe: StandIn) -> None:
        payment = paid(stripe)
        refund = ask(payment, 4000)

        assert (refund.state, gone(payment)) == (RefundState.ASKED, 4000)
        assert at_stripe(payment) == []
        assert mails() == []

        refunds.send(refund)
        refund.refresh_from_db()
        assert (refund.state, refund.stripe_refund_id) == (RefundState.SUCCEEDED, at_stripe(payment)[0].id)
        assert [made.amount_cents for made in at_stripe(payment)] == [4000]

    @pytest.mark.parametrize("cents", [0, -1, 9901])
    def test_no_more_than_was_paid_and_no_less_than_a_cent(self, stripe: StandIn, cents: int) -> None:
        payment = paid(stripe)
        with pytest.raises(RefundTooMuch):
            ask(payment, cents)

        assert not Refund.objects.exists()

    def test_parts_add_up_to_the_whole_and_not_beyond(self, stripe: StandIn) -> None:
        payment = paid(stripe)
        ask(payment, 4000)
        with pytest.raises(RefundTooMuch):
            ask(payment, 5901)
        ask(payment, 5900)

        assert gone(payment) == 9900
        with pytest.raises(NothingToRefund):
            ask(payment, 1)

    def test_what_was_not_paid_by_card_cannot_go_back_to_one(self, stripe: StandIn) -> None:
        payment = paid(stripe)
        Payment.objects.filter(pk=payment.pk).update(stripe_payment_intent_id=None)
        with pytest.raises(NothingToRefund):
            ask(payment)

    def test_nothing_goes_back_while_the_bank_decides(self, stripe: StandIn) -> None:
        payment = paid(stripe)
        disputes.sync_dispute(stripe.open_dispute(payment.stripe_charge_id)["id"])
        with pytest.raises(PaymentDisputed):
            ask(payment)

    def test_staff_leave_an_audit_row_and_the_product_does_not(self, stripe: StandIn) -> None:
        payment, staff = paid(stripe), make_admin()
        ask(payment, 100)
        assert not AdminActionAudit.objects.exists()

        refund = ask(payment, 200, actor=Actor(user=staff))
        row = AdminActionAudit.objects.get()
        assert (row.action, row.admin, row.object_id) == ("refund_asked", staff, refund.pk)
        assert refund.actor == staff
        assert "They asked" not in str(row.details)

    @pytest.mark.django_db(transaction=True)
    def test_a_commit_wakes_the_sender(self, stripe: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []
        monkeypatch.setattr(refunds.waking, "ask_for", asked.append)
        ask(paid(stripe))

        assert refunds.SEND_TASK in asked


class TestAtOnce:
    """Two members of staff press the button at the same moment."""

    @pytest.fixture(autouse=True)
    def _slow_count(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Between looking how much is left and writing lies time, as on a busy day."""
        count = refunds._gone

        def slowly(payment: Payment) -> int:
            found = count(payment)
            time.sleep(0.3)
            return found

        monkeypatch.setattr(refunds, "_gone", slowly)

    @staticmethod
    def _both(payment: Payment) -> int:
        race(lambda _: ask(payment), range(2))
        return sum(Refund.objects.counting().values_list("amount_cents", flat=True))

    @pytest.mark.django_db(transaction=True)
    def test_no_more_than_was_paid_goes_back(self, stripe: StandIn) -> None:
        assert self._both(paid(stripe)) == 9900

    @pytest.mark.django_db(transaction=True)
    def test_without_the_lock_it_would(self, stripe: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        payment = paid(stripe)
        monkeypatch.setattr(refunds, "_lock", lambda number: Payment.objects.get(pk=number))

        assert self._both(payment) == 19800

    @pytest.mark.django_db(transaction=True)
    def test_two_senders_send_it_once(self, stripe: StandIn) -> None:
        payment = paid(stripe)
        refund = ask(payment)
        outcomes = race(lambda _: refunds.send(refund), range(3))

        assert {outcome.state for outcome in outcomes} == {RefundState.SUCCEEDED}
        assert len(at_stripe(payment)) == 1
        assert len(mails()) == 1


class TestSending:
    def test_a_lost_answer_is_settled_by_asking(self, stripe: StandIn) -> None:
        """Stripe did it and the answer never came; a day later the key is forgotten too."""
        payment = paid(stripe)
        refund = ask(payment)
        stripe.faults.add(accept_then_reset(), on="POST /v1/refunds")
        with pytest.raises(StripeUnavailable):
            refunds.send(refund)
        refund.refresh_from_db()
        assert refund.state == RefundState.ASKED
        assert len(at_stripe(payment)) == 1

        assert refunds.send_asked() == 1
        refund.refresh_from_db()
        assert refund.state == RefundState.SUCCEEDED
        assert len(at_stripe(payment)) == 1
        posts = [call for call in stripe.calls if (call.method, call.path) == ("POST", "/v1/refunds")]
        assert len(posts) == 1

    def test_while_stripe_is_away_it_waits(self, stripe: StandIn) -> None:
        payment = paid(stripe)
        refund = ask(payment)
        stripe.faults.add(500, on="POST /v1/refunds")
        with pytest.raises(StripeUnavailable):
            refunds.send_asked()

        assert gone(payment) == 9900
        assert refunds.send_asked() == 1
        refund.refresh_from_db()
        assert refund.state == RefundState.SUCCEEDED

    def test_the_key_is_the_rows(self, stripe: StandIn) -> None:
        refund = ask(paid(stripe))
        refunds.send(refund)
        post = next(call for call in stripe.calls if (call.method, call.path) == ("POST", "/v1/refunds"))

        assert {name.lower(): text for name, text in post.headers.items()}["idempotency-key"] == f"refund:{refund.pk}"
        assert post.params["metadata[refund]"] == refund.pk

    def test_what_stripe_refuses_counts_as_ours_again_and_staff_are_told(self, stripe: StandIn) -> None:
        payment = paid(stripe)
        made_at_stripe(payment, 9900)
        refund = ask(payment)
        refunds.send(refund)

        refund.refresh_from_db()
        assert (refund.state, refund.failure_reason) == (RefundState.FAILED, "charge_already_refunded")
        assert gone(payment) == 0  # until the word about the dashboard's refund is here
        assert StaffAlert.objects.get().kind == AlertKind.REFUND_FAILED
        refunds.sync_refund(at_stripe(payment)[0].id)
        assert gone(payment) == 9900

    def test_one_that_cannot_be_understood_does_not_hold_up_the_others(
        self, stripe: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad, good = ask(paid(stripe)), ask(paid(stripe))
        known = refunds._known_at_stripe

        def stumble(refund: Refund, intent_id: str) -> gateway.StripeRefund | None:
            if refund.pk == bad.pk:
                raise KeyError("odd")
            return known(refund, intent_id)

        monkeypatch.setattr(refunds, "_known_at_stripe", stumble)

        assert refunds.send_asked() == 1
        good.refresh_from_db()
        assert good.state == RefundState.SUCCEEDED


class TestFollowing:
    def test_one_made_in_stripes_dashboard_is_written_down(self, stripe: StandIn) -> None:
        payment = paid(stripe)
        made = made_at_stripe(payment, 2500)
        for _ in range(2):
            refunds.sync_refund(made.id)

        refund = Refund.objects.get()
        assert (refund.amount_cents, refund.actor, refund.state) == (2500, None, RefundState.SUCCEEDED)
        assert gone(payment) == 2500
        assert len(mails()) == 1

    def test_one_that_is_pending_is_told_once(self, stripe: StandIn) -> None:
        payment = paid(stripe, card=PENDING_CARD)
        refund = refunds.send(ask(payment))
        assert refund.state == RefundState.PENDING
        assert len(mails()) == 1

        stripe.settle_refund(str(refund.stripe_refund_id), "succeeded")
        refunds.sync_refund(str(refund.stripe_refund_id))
        refund.refresh_from_db()
        assert refund.state == RefundState.SUCCEEDED
        assert refund.settled_at is not None
        assert len(mails()) == 1

    def test_one_that_fails_days_later_lowers_the_sum_and_tells_staff_once(self, stripe: StandIn) -> None:
        payment = paid(stripe)
        refund = refunds.send(ask(payment))
        assert gone(payment) == 9900
        stripe.settle_refund(str(refund.stripe_refund_id), "failed", "lost_or_stolen_card")
        for _ in range(2):
            refunds.sync_refund(str(refund.stripe_refund_id))

        refund.refresh_from_db()
        assert (refund.state, refund.failure_reason) == (RefundState.FAILED, "lost_or_stolen_card")
        assert gone(payment) == 0
        alert = StaffAlert.objects.get()
        assert (alert.kind, alert.payment) == (AlertKind.REFUND_FAILED, payment)
        assert payment.user is not None
        assert str(payment.user.name) not in alert.words
        assert ask(payment).state == RefundState.ASKED

    def test_an_older_look_does_not_overwrite_a_newer_one(
        self, stripe: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = paid(stripe)
        refund = refunds.send(ask(payment))
        number = str(refund.stripe_refund_id)
        before = gateway.refund(number)
        stripe.settle_refund(number, "failed")
        refunds.sync_refund(number)

        refunds._write(payment.pk, before, 1)
        refund.refresh_from_db()
        assert refund.state == RefundState.FAILED

        # The control: with the newest ticket the old words would have been taken.
        refunds._write(payment.pk, before, refund.stripe_read + 1)
        refund.refresh_from_db()
        assert refund.state == RefundState.SUCCEEDED

    def test_news_of_it_may_overtake_the_payments_own(self, stripe: StandIn) -> None:
        payment = paid(stripe)
        made = made_at_stripe(payment, 9900)
        payment.delete()

        refund = refunds.sync_refund(made.id)
        assert refund is not None
        assert gone(refund.payment) == 9900

    def test_before_its_plan_is_here_it_is_asked_about_again(self, stripe: StandIn) -> None:
        payment = paid(stripe)
        made = made_at_stripe(payment, 9900)
        subscription = payment.subscription
        payment.delete()
        UserSubscription.objects.all().delete()
        with pytest.raises(refunds.NotKnownYet):
            refunds.sync_refund(made.id)

        assert subscription is not None
        syncing.sync_subscription(str(subscription.stripe_subscription_id))
        assert refunds.sync_refund(made.id) is not None

    def test_one_that_stripe_does_not_know_is_nothing(self, stripe: StandIn) -> None:
        assert refunds.sync_refund("re_unknown") is None


class TestMail:
    def test_it_says_how_much_and_where_to(self, stripe: StandIn) -> None:
        refunds.send(ask(paid(stripe), 2500))
        context = mails()[0].content["context"]

        assert (context["amount"], context["paid_amount"]) == ("$25", "$99")
        assert context["back_to"] == "Visa card ending in 4242"

    def test_who_has_left_is_not_written_to(self, stripe: StandIn) -> None:
        payment = paid(stripe)
        assert payment.user is not None
        User.objects.filter(pk=payment.user.pk).update(deleted_at=timezone.now())
        refunds.send(ask(payment))

        assert mails() == []

    def test_who_paid_twice_is_told_by_another_mail(self, stripe: StandIn) -> None:
        payment = paid(stripe)
        assert payment.subscription is not None
        UserSubscription.objects.filter(pk=payment.subscription.pk).update(duplicate_of=payment.subscription)
        refunds.send(ask(payment))

        assert mails() == []

    def test_old_ones_that_move_in_are_no_news(self, stripe: StandIn) -> None:
        payment = paid(stripe)
        refund = refunds.send(ask(payment))
        EmailJob.objects.all().delete()
        refunds.refund_mails.send_refunded(payment, refund, given_at=timezone.now() - timedelta(days=31))

        assert mails() == []
