import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.contrib.postgres.operations import BtreeGistExtension
from django.db import migrations, models

import booking.models
import techdeputies.lib.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("billing", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        BtreeGistExtension(),
        migrations.CreateModel(
            name="CalendarEvent",
            fields=[
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
                (
                    "id",
                    models.CharField(
                        default=techdeputies.lib.ids.new_id,
                        editable=False,
                        max_length=36,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("title", models.CharField(max_length=255)),
                ("description", models.TextField(blank=True, null=True)),
                ("start_time", models.DateTimeField()),
                ("end_time", models.DateTimeField()),
                ("capacity", models.IntegerField(db_default=2, default=2)),
                ("booked_count", models.IntegerField(db_default=0, default=0, editable=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("phone", "By phone"),
                            ("remote", "On your screen, from afar"),
                            ("in_person", "In person"),
                        ],
                        db_default="phone",
                        default="phone",
                        max_length=20,
                    ),
                ),
                ("place", models.CharField(blank=True, db_default="", default="", max_length=255)),
                (
                    "status",
                    models.CharField(
                        choices=[("draft", "Draft"), ("open", "Open"), ("cancelled", "Cancelled")],
                        db_default="open",
                        default="open",
                        max_length=20,
                    ),
                ),
                ("cancelled_at", models.DateTimeField(blank=True, null=True)),
                ("cancel_reason", models.TextField(blank=True, db_default="", default="")),
                (
                    "overlap_exempt",
                    models.BooleanField(
                        db_default=False, default=False, help_text="Imported from the old site with an overlap."
                    ),
                ),
                (
                    "deputy",
                    models.ForeignKey(
                        db_column="admin_id",
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="events",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "session time",
                "db_table": "calendar_events",
            },
        ),
        migrations.CreateModel(
            name="Booking",
            fields=[
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
                (
                    "id",
                    models.CharField(
                        default=techdeputies.lib.ids.new_id,
                        editable=False,
                        max_length=36,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "booked_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now
                    ),
                ),
                ("cancelled_at", models.DateTimeField(blank=True, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[("confirmed", "Booked"), ("cancelled", "Cancelled")],
                        db_default="confirmed",
                        default="confirmed",
                        max_length=20,
                    ),
                ),
                ("revision", models.PositiveIntegerField(db_default=1, default=1)),
                ("topic", models.TextField(blank=True, db_default="", default="", help_text="What it is about.")),
                ("contact_phone", models.CharField(blank=True, db_default="", default="", max_length=40)),
                (
                    "calendar_uid",
                    models.CharField(
                        db_default=django.db.models.functions.comparison.Cast(
                            django.contrib.postgres.functions.RandomUUID(), models.CharField(max_length=100)
                        ),
                        default=techdeputies.lib.ids.new_id,
                        editable=False,
                        max_length=100,
                        unique=True,
                    ),
                ),
                ("calendar_sequence", models.PositiveIntegerField(db_default=0, default=0, editable=False)),
                ("cancel_reason", models.TextField(blank=True, db_default="", default="")),
                (
                    "attendance",
                    models.CharField(
                        blank=True,
                        choices=[("attended", "Attended"), ("no_show", "Did not come")],
                        max_length=20,
                        null=True,
                    ),
                ),
                (
                    "reminded_revision",
                    models.PositiveIntegerField(
                        blank=True, editable=False, help_text="The revision a reminder was decided for.", null=True
                    ),
                ),
                (
                    "booked_by",
                    models.ForeignKey(
                        blank=True,
                        help_text="The member of staff who booked for a caller.",
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="bookings_made",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "moved_to",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="moved_from",
                        to="booking.booking",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="bookings",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "visit_use",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="bookings",
                        to="billing.visituse",
                    ),
                ),
                (
                    "event",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="bookings", to="booking.calendarevent"
                    ),
                ),
            ],
            options={
                "db_table": "bookings",
            },
        ),
        migrations.AddIndex(
            model_name="calendarevent",
            index=models.Index(fields=["start_time"], name="event_start"),
        ),
        migrations.AddIndex(
            model_name="calendarevent",
            index=models.Index(
                condition=models.Q(("booked_count__gt", 0), ("status", "cancelled")),
                fields=["cancelled_at"],
                name="event_cancelled_unfinished",
            ),
        ),
        migrations.AddConstraint(
            model_name="calendarevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("booked_count__gte", 0), ("booked_count__lte", models.F("capacity"))),
                name="event_never_oversold",
            ),
        ),
        migrations.AddConstraint(
            model_name="calendarevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("end_time__gt", models.F("start_time"))), name="event_ends_after_start"
            ),
        ),
        migrations.AddConstraint(
            model_name="calendarevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["phone", "remote", "in_person"])), name="event_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="calendarevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["draft", "open", "cancelled"])), name="event_status_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="calendarevent",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                condition=models.Q(("overlap_exempt", False), ("status", "open")),
                expressions=[
                    ("deputy", "="),
                    (
                        booking.models.TsTzRange(
                            "start_time", "end_time", django.contrib.postgres.fields.ranges.RangeBoundary()
                        ),
                        "&&",
                    ),
                ],
                name="event_no_overlap_for_one_deputy",
                violation_error_message="This deputy already has a session at that time.",
            ),
        ),
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(fields=["status"], name="booking_status"),
        ),
        migrations.AddConstraint(
            model_name="booking",
            constraint=models.UniqueConstraint(
                fields=("event", "user"),
                name="booking_once_per_person",
                violation_error_message="This person already has a place in that session.",
            ),
        ),
        migrations.AddConstraint(
            model_name="booking",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["confirmed", "cancelled"])), name="booking_status_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="booking",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("attendance__isnull", True), ("attendance__in", ["attended", "no_show"]), _connector="OR"
                ),
                name="booking_attendance_known",
            ),
        ),
    ]
