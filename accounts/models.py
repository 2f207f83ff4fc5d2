"""People, the devices they are signed in on, and the links and codes mailed to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Lower, Now, Upper
from django.utils import timezone
from django.utils.crypto import salted_hmac

from techdeputies.lib.models import TimestampedModel


class Role(models.TextChoices):
    USER = "user", "Customer"
    ADMIN = "admin", "Staff"


class UserQuerySet(models.QuerySet["User"]):
    def present(self) -> Self:
        """People who may enter: not deleted."""
        return self.filter(deleted_at__isnull=True)

    def leaving(self) -> Self:
        """People who asked for their account to be deleted, and for whom something has to end first."""
        return self.present().filter(deletion_asked_at__isnull=False)

    def staff(self) -> Self:
        return self.present().filter(role=Role.ADMIN)

    def with_email(self, email: str) -> Self:
        """The account of that address, compared as the unique index on lower(email) does."""
        return self.alias(email_folded=Lower("email")).filter(email_folded=Lower(models.Value(email.strip())))

    def with_old_hash(self) -> Self:
        """People whose password is still as the old site stored it."""
        return self.filter(password__startswith="bcrypt$")


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    def create_user(self, *, email: str, password: str | None = None, **fields: Any) -> User:
        """A person with a hashed password (None: one that opens nothing). The address is kept trimmed."""
        user: User = self.model(email=email.strip(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, *, email: str, password: str | None = None, **fields: Any) -> User:
        """A member of staff with every right, for ``manage.py createsuperuser``."""
        fields |= {"role": Role.ADMIN, "is_superuser": True, "email_verified": True}
        return self.create_user(email=email, password=password, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        found: User = self.with_email(username or "").get()
        return found


class User(AbstractBaseUser, PermissionsMixin):
    """A person, customer or staff. One row per address for ever: deleting is soft."""

    email = models.EmailField(max_length=254, unique=True)
    password = models.CharField(max_length=128, db_column="password_hash")
    name = models.CharField(max_length=255, null=True, blank=True)
    role = models.CharField(max_length=20, choices=Role, default=Role.USER, db_default=Role.USER)
    email_verified = models.BooleanField(default=False, db_default=False)
    phone = models.CharField(max_length=40, blank=True, default="", db_default="")
    time_zone = models.CharField(
        max_length=64, blank=True, default="", db_default="", help_text="Empty: the business's own."
    )
    is_superuser = models.BooleanField(
        "superuser", default=False, db_default=False, help_text="Has every right without being given it."
    )
    email_problem = models.CharField(
        max_length=20,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Why mail to the address is stopped, copied here so that each page can say so. Empty: it is not.",
    )
    must_change_password = models.BooleanField(default=False, db_default=False)
    acuity_client_id = models.CharField(max_length=255, null=True, blank=True)
    stripe_customer_id = models.CharField(max_length=255, null=True, blank=True)
    deletion_asked_at = models.DateTimeField(null=True, blank=True, help_text="When the person asked for it.")
    deletion_delayed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Since when the deletion waits for somebody we cannot reach."
    )
    deleted_at = models.DateTimeField(null=True, blank=True)
    erase_after = models.DateTimeField(
        null=True, blank=True, help_text="When personal data is erased. Imported deletions have no such date."
    )
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True, db_default=Now())

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    class Meta:
        db_table = "users"
        verbose_name = "person"
        verbose_name_plural = "people"
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_one_account_per_address"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_known"),
        ]
        indexes = [
            GinIndex(OpClass(Upper("email"), name="gin_trgm_ops"), name="user_email_search"),
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="user_name_search"),
            models.Index(
                fields=["erase_after"],
                condition=models.Q(erase_after__isnull=False),
                name="user_to_erase",
            ),
            models.Index(
                fields=["deletion_asked_at"],
                condition=models.Q(deletion_asked_at__isnull=False, deleted_at__isnull=True),
                name="user_leaving",
            ),
            models.Index(
                fields=["id"],
                condition=models.Q(password__startswith="bcrypt$"),
                name="user_old_hash",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        return self.deleted_at is None

    @property
    def is_staff(self) -> bool:
        return self.role == Role.ADMIN

    @property
    def first_name_words(self) -> str:
        """How a mail or page greets: the first word of the name, or "there"."""
        words = (self.name or "").split()
        return words[0] if words else "there"

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What each session is bound to: a new password or a new role ends them all."""
        content = f"{self.password}|{self.role}|{self.is_superuser}"
        return salted_hmac("accounts.models.User.session", content, secret=secret, algorithm="sha256").hexdigest()

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.first_name_words


class SessionQuerySet(models.QuerySet["Session"]):
    def live(self) -> Self:
        return self.filter(expires_at__gt=Now())


class Session(models.Model):
    """One device a person is signed in on. ``id`` is the SHA-256 of the cookie, so the row opens nothing."""

    id = models.CharField(max_length=255, primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="sessions")
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)
    session_data = models.TextField(default="", db_default="")
    last_seen_at = models.DateTimeField(default=timezone.now, db_default=Now())
    ip_address = models.CharField(max_length=64, blank=True, default="", db_default="")
    user_agent = models.TextField(blank=True, default="", db_default="")

    objects = SessionQuerySet.as_manager()

    class Meta:
        db_table = "sessions"
        verbose_name = "device"
        indexes = [models.Index(fields=["expires_at"], name="session_expires")]

    def __str__(self) -> str:
        return f"Sign-in of {self.user_id} since {self.created_at:%Y-%m-%d %H:%M}"


class PasswordResetToken(models.Model):
    """A mailed reset link: ``token`` is its SHA-256 digest. Single use, one hour, the newest wins."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="password_reset_tokens")
    token = models.CharField(max_length=255, unique=True)
    expires_at = models.DateTimeField()
    used = models.BooleanField(default=False, db_default=False)
    bound_to = models.CharField(
        max_length=64,
        default="",
        db_default="",
        help_text="Digest of the password hash and address at the time; the link dies when either changes.",
    )
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        db_table = "password_reset_tokens"
        verbose_name = "reset link"

    def __str__(self) -> str:
        return f"Reset link of {self.user_id}"


class EmailVerificationToken(models.Model):
    """A mailed link (24 hours) and 6-digit code (1 hour, five tries) that prove an address.

    ``token`` is the SHA-256 digest of the link's secret. ``code_hmac`` is keyed by the server, since the
    digest of six digits is undone in under a second.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="verification_tokens")
    token = models.CharField(max_length=255, unique=True)
    email = models.EmailField(max_length=254, default="", db_default="", help_text="The address it proves.")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    code_hmac = models.CharField(max_length=64, default="", db_default="")
    code_expires_at = models.DateTimeField(null=True, blank=True)
    code_attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    browser = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="Digest of the cookie of the browser that signed up; only that one is signed in by it.",
    )
    new_password = models.CharField(
        max_length=128,
        blank=True,
        default="",
        db_default="",
        help_text="Hash typed by that browser when the address had an unverified account; taken over once proven.",
    )
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        db_table = "email_verification_tokens"
        verbose_name = "verification mail"

    def __str__(self) -> str:
        return f"Verification of {self.user_id}"


class EmailChange(TimestampedModel):
    """A wish to use another address: confirmed from the new one, undone from the old one for 72 hours.

    ``token`` and ``undo_token`` are SHA-256 digests. Nothing changes before ``confirmed_at``.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="email_changes")
    old_email = models.EmailField(max_length=254)
    new_email = models.EmailField(max_length=254)
    token = models.CharField(max_length=64, unique=True)
    undo_token = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    undo_expires_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "email_changes"
        verbose_name = "change of mail address"
        verbose_name_plural = "changes of mail address"

    def __str__(self) -> str:
        return f"Change of address of {self.user_id}"

    def is_open(self, at: datetime) -> bool:
        return self.confirmed_at is None and self.undone_at is None and self.expires_at > at


class DeletionUndoLink(models.Model):
    """A mailed way back into a closed account: ``token`` is its SHA-256 digest. With the password, single use."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="deletion_undo_links")
    token = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(help_text="When the personal data is erased.")
    used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        db_table = "deletion_undo_links"
        verbose_name = "link to keep an account"
        verbose_name_plural = "links to keep an account"

    def __str__(self) -> str:
        return f"Way back of {self.user_id}"
