import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="GiftCard",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(max_length=64, unique=True)),
                ("original_amount", models.IntegerField(help_text="US cents.")),
                ("remaining_amount", models.IntegerField(help_text="US cents; the sum of the ledger.")),
                ("purchaser_email", models.CharField(max_length=254)),
                ("purchaser_name", models.CharField(blank=True, max_length=255, null=True)),
                ("recipient_email", models.CharField(blank=True, max_length=254, null=True)),
                ("recipient_name", models.CharField(blank=True, max_length=255, null=True)),
                ("message", models.TextField(blank=True, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("active", "Ready to use"),
                            ("redeemed", "All used"),
                            ("expired", "Expired"),
                            ("cancelled", "Cancelled"),
                        ],
                        db_default="active",
                        default="active",
                        max_length=20,
                    ),
                ),
                (
                    "purchased_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        default=django.utils.timezone.now,
                        editable=False,
                    ),
                ),
            ],
            options={
                "db_table": "gift_cards",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["active", "redeemed", "expired", "cancelled"])),
                        name="gift_card_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("remaining_amount__gte", 0), ("remaining_amount__lte", models.F("original_amount"))
                        ),
                        name="gift_card_balance_within_amount",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Plan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        default=django.utils.timezone.now,
                        editable=False,
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now()),
                ),
                ("name", models.CharField(max_length=255, unique=True)),
                ("display_name", models.CharField(max_length=200)),
                ("description", models.TextField(blank=True, null=True)),
                ("price_in_cents", models.IntegerField()),
                (
                    "tier",
                    models.CharField(
                        choices=[("basic", "Basic"), ("standard", "Standard"), ("premium", "Premium")], max_length=20
                    ),
                ),
                ("session_limit", models.IntegerField(help_text="Sessions a month; 0 means no limit.")),
                (
                    "course_inclusion",
                    models.CharField(
                        choices=[("none", "No courses"), ("partial", "Some courses"), ("full", "All courses")],
                        max_length=20,
                    ),
                ),
                ("family_size", models.IntegerField(db_default=1, default=1)),
                (
                    "support_tier",
                    models.CharField(
                        choices=[
                            ("email", "E-mail support"),
                            ("priority", "Priority support"),
                            ("premium", "Premium support"),
                        ],
                        max_length=20,
                    ),
                ),
                ("featured", models.BooleanField(db_default=False, default=False)),
            ],
            options={
                "db_table": "plans",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("tier__in", ["basic", "standard", "premium"])), name="plan_tier_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("course_inclusion__in", ["none", "partial", "full"])),
                        name="plan_course_inclusion_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("support_tier__in", ["email", "priority", "premium"])),
                        name="plan_support_tier_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("family_size__gte", 1), ("price_in_cents__gte", 0), ("session_limit__gte", 0)
                        ),
                        name="plan_numbers_make_sense",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UserSubscription",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        default=django.utils.timezone.now,
                        editable=False,
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now()),
                ),
                ("stripe_subscription_id", models.CharField(blank=True, max_length=255, null=True, unique=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("cancelled", "Cancelled"),
                            ("expired", "Ended"),
                            ("past_due", "Payment did not go through"),
                        ],
                        db_default="active",
                        default="active",
                        max_length=20,
                    ),
                ),
                ("current_period_start", models.DateTimeField()),
                ("current_period_end", models.DateTimeField(help_text="Access ends at this moment.")),
                ("cancelled_at", models.DateTimeField(blank=True, null=True)),
                (
                    "session_booked_this_month",
                    models.IntegerField(db_default=0, default=0, help_text="Recounted from visit_uses, never stepped."),
                ),
                ("grant_reason", models.CharField(blank=True, db_default="", default="", max_length=255)),
                (
                    "granted_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="plans_granted",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "plan",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT, related_name="subscriptions", to="billing.plan"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="subscriptions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "plan of a person",
                "verbose_name_plural": "plans of people",
                "db_table": "user_subscriptions",
            },
        ),
        migrations.CreateModel(
            name="VisitUse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cause", models.CharField(help_text="Booking id and revision.", max_length=200, unique=True)),
                ("period_start", models.DateTimeField()),
                (
                    "used_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now
                    ),
                ),
                ("returned_at", models.DateTimeField(blank=True, null=True)),
                ("credited_period_start", models.DateTimeField(blank=True, null=True)),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="visit_uses",
                        to="billing.usersubscription",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="visit_uses",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "visit_uses",
            },
        ),
        migrations.CreateModel(
            name="GiftCardTransaction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("amount", models.IntegerField(help_text="US cents, signed.")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("load", "Loaded"),
                            ("spend", "Spent"),
                            ("refund", "Given back"),
                            ("adjust", "Corrected by staff"),
                            ("expire", "Expired"),
                            ("import", "Taken over from the old site"),
                        ],
                        db_default="import",
                        default="import",
                        max_length=20,
                    ),
                ),
                ("balance_after", models.IntegerField(blank=True, help_text="US cents.", null=True)),
                ("cause", models.CharField(blank=True, max_length=200, null=True, unique=True)),
                ("description", models.TextField(blank=True, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        default=django.utils.timezone.now,
                        editable=False,
                    ),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="ledger_lines",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "gift_card",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="transactions", to="billing.giftcard"
                    ),
                ),
            ],
            options={
                "db_table": "gift_card_transactions",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["load", "spend", "refund", "adjust", "expire", "import"])),
                        name="gift_card_transaction_kind_known",
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="usersubscription",
            index=models.Index(fields=["status"], name="subscription_status"),
        ),
        migrations.AddIndex(
            model_name="usersubscription",
            index=models.Index(fields=["current_period_end"], name="subscription_period_end"),
        ),
        migrations.AddConstraint(
            model_name="usersubscription",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "active")),
                fields=("user",),
                name="subscription_one_active_per_user",
                violation_error_message="This person already has an active plan.",
            ),
        ),
        migrations.AddConstraint(
            model_name="usersubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["active", "cancelled", "expired", "past_due"])),
                name="subscription_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="usersubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("session_booked_this_month__gte", 0)), name="subscription_count_not_negative"
            ),
        ),
        migrations.AddIndex(
            model_name="visituse",
            index=models.Index(fields=["subscription", "period_start"], name="visit_use_period"),
        ),
        migrations.AddIndex(
            model_name="visituse",
            index=models.Index(
                condition=models.Q(("credited_period_start__isnull", False)),
                fields=["subscription", "credited_period_start"],
                name="visit_use_credit",
            ),
        ),
    ]
