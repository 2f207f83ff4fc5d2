from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from accounts import services
from accounts.exceptions import CodeNotRight, LinkUsedUp, WeakPassword
from accounts.models import EmailVerificationToken, Session, User
from accounts.tests.factories import PASSWORD, make_admin, make_user
from accounts.tests.helpers import ACTOR, last_mail, mails, race, secret_in
from audit.models import PasswordChangeAudit, SecurityEvent
from emails.models import EmailJob
from settings_app.exceptions import LimitReached

pytestmark = pytest.mark.django_db

EMAIL = "margaret@example.com"


def sign_up(email: str = EMAIL, password: str = PASSWORD, browser: str = "browser", **fields: str) -> None:
    services.sign_up(name="Margaret Ellis", email=email, password=password, browser=browser, actor=ACTOR, **fields)


def by_link(browser: str = "browser") -> services.Proven:
    return services.verify_by_link(secret=secret_in(last_mail("verify_email")), browser=browser, actor=ACTOR)


def by_code(code: str, browser: str = "browser", email: str = EMAIL) -> services.Proven:
    return services.verify_by_code(email=email, code=code, browser=browser, actor=ACTOR)


def mailed_code() -> str:
    return str(last_mail("verify_email")["code"]).replace(" ", "")


def wrong_code() -> str:
    return "000000" if mailed_code() != "000000" else "111111"


def test_signing_up_makes_an_unproven_account_and_mails_link_and_code() -> None:
    sign_up(time_zone="America/New_York")

    user = User.objects.get()
    assert (user.email, user.name, user.time_zone) == (EMAIL, "Margaret Ellis", "America/New_York")
    assert not user.email_verified
    assert user.check_password(PASSWORD)
    mail = last_mail("verify_email")
    assert mail["to"] == EMAIL
    assert mail["priority"] == "critical"
    assert mail["button_url"].startswith("http://testserver/accounts/verify/?token=")
    assert len(mailed_code()) == 6


def test_the_mail_to_an_unproven_address_says_nothing_that_a_stranger_typed() -> None:
    services.sign_up(name="Win $500 at evil.example", email=EMAIL, password=PASSWORD, browser="b", actor=ACTOR)

    job = EmailJob.objects.get()
    assert "evil" not in f"{job.subject} {job.recipient_name} {last_mail('verify_email')}"


def test_a_weak_password_makes_no_account() -> None:
    with pytest.raises(WeakPassword):
        sign_up(password="margaretellis")

    assert User.objects.count() == 0
    assert EmailJob.objects.count() == 0


def test_a_known_address_changes_nothing_and_tells_its_owner() -> None:
    owner = make_user(email="Margaret@Example.com")
    before = owner.password
    sign_up()

    owner.refresh_from_db()
    assert owner.password == before
    assert User.objects.count() == 1
    assert last_mail("signup_existing")["to"] == "Margaret@Example.com"
    assert EmailVerificationToken.objects.count() == 0


def test_the_owner_of_a_known_address_is_told_once_an_hour() -> None:
    make_user(email=EMAIL)
    for _ in range(3):
        sign_up()

    assert len(mails("signup_existing")) == 1


def test_a_closed_account_stays_closed_and_its_owner_is_told_whom_to_call() -> None:
    owner = make_user(email=EMAIL, deleted_at=timezone.now())
    sign_up()

    owner.refresh_from_db()
    assert owner.deleted_at is not None
    assert len(mails("signup_closed")) == 1


def test_the_link_proves_the_address_once() -> None:
    sign_up()
    proven = by_link()

    assert proven.same_browser
    assert User.objects.get().email_verified
    with pytest.raises(LinkUsedUp):
        by_link()


def test_the_code_proves_the_address_once() -> None:
    sign_up()
    code = mailed_code()

    assert by_code(code).user.email_verified
    with pytest.raises(CodeNotRight):
        by_code(code)


def test_using_the_code_ends_the_link_and_the_other_way_round() -> None:
    sign_up()
    by_code(mailed_code())

    with pytest.raises(LinkUsedUp):
        by_link()


def test_a_link_in_another_browser_proves_but_signs_nobody_in() -> None:
    sign_up()

    assert not by_link(browser="another").same_browser
    assert User.objects.get().email_verified


@pytest.mark.parametrize("browser", ["", "another"])
def test_a_stranger_who_signs_up_with_an_unproven_address_gets_no_way_in(browser: str) -> None:
    owner = make_user(email=EMAIL, email_verified=False)
    sign_up(password="the stranger's own word", browser="stranger")
    proven = by_link(browser=browser)  # the owner reads the mail

    owner.refresh_from_db()
    assert not proven.same_browser
    assert not owner.check_password("the stranger's own word")
    # Who was first cannot be told either, so the owner of the mailbox chooses anew.
    assert proven.password_mailed
    assert not owner.has_usable_password()
    assert last_mail("password_reset")["to"] == EMAIL


def test_proving_the_address_puts_out_whoever_signed_in_before() -> None:
    squatted = make_user(email=EMAIL, email_verified=False)
    for key in ("a", "b"):
        Session.objects.create(id=key * 64, user=squatted, expires_at=timezone.now() + timedelta(days=1))
    services.resend(email=EMAIL, browser="owner", actor=ACTOR)

    services.verify_by_link(secret=secret_in(last_mail("verify_email")), browser="another", actor=ACTOR, keep="b" * 64)

    assert Session.objects.get().pk == "b" * 64


def test_signing_up_again_counts_the_new_password_once_the_same_browser_shows_the_mail() -> None:
    squatted = make_user(email=EMAIL, email_verified=False)
    Session.objects.create(id="x" * 64, user=squatted, expires_at=timezone.now() + timedelta(days=1))
    sign_up(password="the owner's own words", browser="owner")
    squatted.refresh_from_db()
    assert squatted.check_password(PASSWORD)

    proven = by_code(mailed_code(), browser="owner")

    assert proven.same_browser
    assert proven.user.check_password("the owner's own words")
    assert Session.objects.count() == 0
    assert PasswordChangeAudit.objects.get().success


def test_staff_never_get_a_password_by_a_sign_up() -> None:
    staff = make_admin(email=EMAIL, email_verified=False)
    sign_up(password="the stranger's own word", browser="b")
    proven = by_link(browser="b")

    staff.refresh_from_db()
    assert staff.check_password(PASSWORD)
    assert not proven.same_browser


def test_signing_up_again_cannot_flood_a_mailbox() -> None:
    make_user(email=EMAIL, email_verified=False)
    for _ in range(25):
        sign_up()

    assert len(mails("verify_email")) == 20


def test_the_newest_link_and_code_win() -> None:
    sign_up()
    old_secret, old_code = secret_in(last_mail("verify_email")), mailed_code()
    services.resend(email=EMAIL, browser="browser", actor=ACTOR)

    with pytest.raises(LinkUsedUp):
        services.verify_by_link(secret=old_secret, browser="browser", actor=ACTOR)
    if old_code != mailed_code():
        with pytest.raises(CodeNotRight):
            by_code(old_code)
    assert by_link().same_browser


@pytest.mark.parametrize("kind", ["unknown", "verified", "deleted"])
def test_asking_again_sends_nothing_to_those_who_need_no_proof(kind: str) -> None:
    if kind != "unknown":
        make_user(email=EMAIL, deleted_at=timezone.now() if kind == "deleted" else None)
    services.resend(email=EMAIL, browser="b", actor=ACTOR)

    assert EmailJob.objects.count() == 0


@pytest.mark.parametrize("known", [True, False])
def test_asking_again_is_limited_alike_for_known_and_unknown(known: bool) -> None:
    if known:
        make_user(email=EMAIL, email_verified=False)
    for _ in range(20):
        services.resend(email=EMAIL, browser="b", actor=ACTOR)

    with pytest.raises(LimitReached):
        services.resend(email=EMAIL, browser="b", actor=ACTOR)


def test_an_old_link_is_refused() -> None:
    sign_up()
    EmailVerificationToken.objects.update(expires_at=F("expires_at") - timedelta(hours=24, seconds=1))

    with pytest.raises(LinkUsedUp):
        by_link()
    assert not User.objects.get().email_verified


def test_the_code_lives_an_hour_and_the_link_lives_on() -> None:
    sign_up()
    EmailVerificationToken.objects.update(code_expires_at=F("code_expires_at") - timedelta(hours=1, seconds=1))

    with pytest.raises(CodeNotRight):
        by_code(mailed_code())
    assert by_link().user.email_verified


def test_the_code_dies_after_five_wrong_tries_and_the_link_lives_on() -> None:
    sign_up()
    wrong = wrong_code()
    for _ in range(5):
        with pytest.raises(CodeNotRight):
            by_code(wrong)

    with pytest.raises(CodeNotRight):
        by_code(mailed_code())
    assert by_link().user.email_verified


def test_the_right_code_at_the_fifth_try_opens() -> None:
    sign_up()
    wrong = wrong_code()
    for _ in range(4):
        with pytest.raises(CodeNotRight):
            by_code(wrong)

    assert by_code(mailed_code()).user.email_verified


def test_codes_are_limited_by_the_day_over_all_mails() -> None:
    sign_up()
    wrong = wrong_code()
    for _ in range(20):
        with pytest.raises(CodeNotRight):
            by_code(wrong)

    with pytest.raises(LimitReached):
        by_code(mailed_code())


def test_a_code_for_an_unknown_address_is_refused_in_the_same_words() -> None:
    with pytest.raises(CodeNotRight) as unknown:
        by_code("123456", email="nobody@example.com")
    sign_up()
    with pytest.raises(CodeNotRight) as known:
        by_code(wrong_code())

    assert unknown.value.message == known.value.message


def test_a_link_for_an_address_that_was_changed_since_is_refused() -> None:
    sign_up()
    User.objects.update(email="new@example.com")

    with pytest.raises(LinkUsedUp):
        by_link()


def test_a_link_of_a_deleted_person_is_refused() -> None:
    sign_up()
    User.objects.update(deleted_at=timezone.now())

    with pytest.raises(LinkUsedUp):
        by_link()


@pytest.mark.parametrize("secret", ["", "nonsense", "x" * 10_000, "\x00", "\ud800"])
def test_a_made_up_link_is_refused(secret: str) -> None:
    with pytest.raises(LinkUsedUp):
        services.verify_by_link(secret=secret, browser="", actor=ACTOR)


def test_what_happened_is_written_down_without_names_or_addresses() -> None:
    sign_up()
    by_link()

    events = list(SecurityEvent.objects.order_by("pk").values_list("kind", "details"))
    assert events == [("signed_up", None), ("address_verified", None)]


@pytest.mark.django_db(transaction=True)
def test_of_ten_presses_of_the_sign_up_button_one_makes_the_account() -> None:
    outcomes = race(lambda number: sign_up(browser=f"b{number}"), range(10))

    assert outcomes == [None] * 10
    assert User.objects.count() == 1
    assert EmailVerificationToken.objects.filter(used_at=None).count() >= 1


@pytest.mark.django_db(transaction=True)
def test_of_ten_uses_of_one_link_one_succeeds() -> None:
    sign_up()
    secret = secret_in(last_mail("verify_email"))

    outcomes = race(lambda _: services.verify_by_link(secret=secret, browser="browser", actor=ACTOR), range(10))

    assert [type(one) for one in outcomes].count(services.Proven) == 1
    assert [type(one) for one in outcomes].count(LinkUsedUp) == 9


@pytest.mark.django_db(transaction=True)
def test_parallel_guesses_of_a_code_get_five_tries_not_more() -> None:
    sign_up()
    wrong = wrong_code()

    race(lambda _: by_code(wrong), range(12))

    assert EmailVerificationToken.objects.get().code_attempts == 5
