import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rollback_audit", "0005_recoveries"),
    ]

    operations = [
        migrations.CreateModel(
            name="HealthAlert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("alert_id", models.CharField(max_length=64, unique=True)),
                ("key", models.CharField(max_length=96)),
                (
                    "code",
                    models.CharField(
                        choices=[
                            ("missed_worker_run", "missed worker run"),
                            ("failed_worker_run", "failed worker run"),
                            ("retryable_deliveries", "retryable deliveries"),
                            ("connector_failure", "connector failure"),
                            ("stale_retry_plan", "stale retry plan"),
                            ("disabled_schedule", "disabled schedule"),
                            ("silent_drill", "silent drill"),
                            ("silent_connector", "silent connector"),
                            ("attempts_nearing_limit", "attempts nearing limit"),
                        ],
                        max_length=32,
                    ),
                ),
                ("subject", models.CharField(max_length=64)),
                (
                    "severity",
                    models.CharField(
                        choices=[("healthy", "healthy"), ("warning", "warning"), ("critical", "critical")],
                        max_length=16,
                    ),
                ),
                (
                    "level_percent",
                    models.PositiveSmallIntegerField(default=0, help_text="The step of the ladder; 0 without one."),
                ),
                ("message", models.CharField(max_length=300)),
                ("state", models.CharField(choices=[("open", "open"), ("recovered", "recovered")], max_length=16)),
                ("health_id", models.CharField(max_length=64)),
                ("opened_at", models.DateTimeField()),
                ("last_told_at", models.DateTimeField()),
                ("told_count", models.PositiveIntegerField(default=1)),
                ("recovered_at", models.DateTimeField(blank=True, null=True)),
                (
                    "acknowledgement_state",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("acknowledged", "acknowledged"),
                            ("dismissed", "dismissed"),
                            ("escalated", "escalated"),
                            ("resolved", "resolved"),
                        ],
                        max_length=16,
                        null=True,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": (),
                "indexes": [models.Index(fields=["last_told_at"], name="health_alert_told")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")), fields=("key",), name="health_alert_open_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "code__in",
                                [
                                    "missed_worker_run",
                                    "failed_worker_run",
                                    "retryable_deliveries",
                                    "connector_failure",
                                    "stale_retry_plan",
                                    "disabled_schedule",
                                    "silent_drill",
                                    "silent_connector",
                                    "attempts_nearing_limit",
                                ],
                            )
                        ),
                        name="health_alert_code_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("severity__in", ["healthy", "warning", "critical"])),
                        name="health_alert_severity_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "recovered"])), name="health_alert_state_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("acknowledgement_state__in", ["acknowledged", "dismissed", "escalated", "resolved"])
                        ),
                        name="health_alert_ack_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "open"), ("recovered_at__isnull", True)),
                            models.Q(models.Q(("state", "open"), _negated=True), ("recovered_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="health_alert_recovered_has_a_moment",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("last_told_at__gte", models.F("opened_at")), ("told_count__gte", 1)),
                        name="health_alert_was_told",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="HealthAlertAcknowledgement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("acknowledgement_id", models.CharField(max_length=64, unique=True)),
                (
                    "provider",
                    models.CharField(blank=True, help_text="Where it was read, if that was said.", max_length=63),
                ),
                (
                    "acknowledgement_state",
                    models.CharField(
                        choices=[
                            ("acknowledged", "acknowledged"),
                            ("dismissed", "dismissed"),
                            ("escalated", "escalated"),
                            ("resolved", "resolved"),
                        ],
                        max_length=16,
                    ),
                ),
                ("external_ref", models.CharField(blank=True, max_length=200)),
                ("notes", models.TextField(blank=True)),
                ("acknowledged_by", models.CharField(max_length=128)),
                ("actor", models.CharField(max_length=150)),
                ("acknowledged_at", models.DateTimeField()),
                (
                    "alert",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="acknowledgements",
                        to="rollback_audit.healthalert",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("acknowledgement_state__in", ["acknowledged", "dismissed", "escalated", "resolved"])
                        ),
                        name="health_acknowledgement_state_known",
                    )
                ],
            },
        ),
    ]
