import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rollback_audit", "0006_alerts"),
    ]

    operations = [
        migrations.CreateModel(
            name="EscalatedRecovery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "level",
                    models.CharField(
                        choices=[("at_risk", "at risk"), ("breached", "breached"), ("overdue", "overdue")],
                        max_length=16,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "escalated recoveries",
                "ordering": ["id"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="EscalationAcknowledgement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("acknowledgement_id", models.CharField(max_length=64, unique=True)),
                ("provider", models.CharField(blank=True, help_text="Empty: the whole escalation.", max_length=63)),
                (
                    "acknowledgement_state",
                    models.CharField(
                        choices=[
                            ("accepted", "accepted"),
                            ("acknowledged", "acknowledged"),
                            ("deferred", "deferred"),
                            ("escalated", "escalated"),
                            ("resolved", "resolved"),
                            ("dismissed", "dismissed"),
                        ],
                        max_length=16,
                    ),
                ),
                ("external_ref", models.CharField(blank=True, max_length=200)),
                ("notes", models.TextField(blank=True)),
                ("acknowledged_by", models.CharField(max_length=128)),
                ("actor", models.CharField(max_length=150)),
                ("acknowledged_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ExecutiveReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("run_id", models.CharField(max_length=64, unique=True)),
                ("interval_minutes", models.PositiveIntegerField()),
                ("cadence", models.CharField(max_length=64)),
                ("window_start", models.DateTimeField()),
                ("window_end", models.DateTimeField()),
                ("lookback_hours", models.PositiveIntegerField()),
                ("recovery_slo_minutes", models.PositiveIntegerField()),
                (
                    "alert_level",
                    models.CharField(
                        choices=[("healthy", "healthy"), ("warning", "warning"), ("critical", "critical")],
                        max_length=16,
                    ),
                ),
                ("risk_count", models.PositiveIntegerField()),
                ("generated_by", models.CharField(max_length=128)),
                ("actor", models.CharField(max_length=150)),
                ("generated_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RecoveryEscalation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("plan_id", models.CharField(max_length=64, unique=True)),
                ("recovery_slo_minutes", models.PositiveIntegerField()),
                ("at_risk_percent", models.PositiveSmallIntegerField()),
                (
                    "minimum_level",
                    models.CharField(
                        choices=[("at_risk", "at risk"), ("breached", "breached"), ("overdue", "overdue")],
                        max_length=16,
                    ),
                ),
                (
                    "alert_level",
                    models.CharField(
                        choices=[("healthy", "healthy"), ("warning", "warning"), ("critical", "critical")],
                        max_length=16,
                    ),
                ),
                ("escalation_count", models.PositiveIntegerField()),
                ("at_risk_count", models.PositiveIntegerField()),
                ("slo_breached_count", models.PositiveIntegerField()),
                ("generated_by", models.CharField(max_length=128)),
                ("actor", models.CharField(max_length=150)),
                ("generated_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": (),
            },
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    (
                        "source__in",
                        [
                            "go_backend_rollback_drill_acknowledgement_audit_recovery_escalation",
                            "go_backend_rollback_drill_acknowledgement_audit_recovery_executive_report",
                        ],
                    )
                ),
                fields=("audit_id", "provider"),
                name="delivery_report_once",
            ),
        ),
        migrations.AddField(
            model_name="escalatedrecovery",
            name="recovery",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="escalations", to="rollback_audit.recovery"
            ),
        ),
        migrations.AddField(
            model_name="executivereport",
            name="package",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="executive_report",
                to="rollback_audit.evidencepackage",
            ),
        ),
        migrations.AddField(
            model_name="recoveryescalation",
            name="package",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="escalation",
                to="rollback_audit.evidencepackage",
            ),
        ),
        migrations.AddField(
            model_name="escalationacknowledgement",
            name="escalation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="acknowledgements",
                to="rollback_audit.recoveryescalation",
            ),
        ),
        migrations.AddField(
            model_name="escalatedrecovery",
            name="escalation",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="items",
                to="rollback_audit.recoveryescalation",
            ),
        ),
        migrations.AddConstraint(
            model_name="executivereport",
            constraint=models.UniqueConstraint(
                fields=("interval_minutes", "window_start"), name="report_once_per_window"
            ),
        ),
        migrations.AddConstraint(
            model_name="executivereport",
            constraint=models.CheckConstraint(
                condition=models.Q(("alert_level__in", ["healthy", "warning", "critical"])),
                name="report_alert_level_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="executivereport",
            constraint=models.CheckConstraint(
                condition=models.Q(("interval_minutes__gte", 1), ("interval_minutes__lte", 10080)),
                name="report_interval",
            ),
        ),
        migrations.AddConstraint(
            model_name="executivereport",
            constraint=models.CheckConstraint(
                condition=models.Q(("window_end__gt", models.F("window_start"))), name="report_window_has_length"
            ),
        ),
        migrations.AddConstraint(
            model_name="recoveryescalation",
            constraint=models.CheckConstraint(
                condition=models.Q(("minimum_level__in", ["at_risk", "breached", "overdue"])),
                name="escalation_minimum_level_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="recoveryescalation",
            constraint=models.CheckConstraint(
                condition=models.Q(("alert_level__in", ["healthy", "warning", "critical"])),
                name="escalation_alert_level_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="recoveryescalation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "escalation_count",
                        django.db.models.expressions.CombinedExpression(
                            models.F("at_risk_count"), "+", models.F("slo_breached_count")
                        ),
                    )
                ),
                name="escalation_adds_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="escalationacknowledgement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "acknowledgement_state__in",
                        ["accepted", "acknowledged", "deferred", "escalated", "resolved", "dismissed"],
                    )
                ),
                name="escalation_acknowledgement_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="escalatedrecovery",
            constraint=models.UniqueConstraint(fields=("escalation", "recovery"), name="escalated_recovery_once"),
        ),
        migrations.AddConstraint(
            model_name="escalatedrecovery",
            constraint=models.CheckConstraint(
                condition=models.Q(("level__in", ["at_risk", "breached", "overdue"])),
                name="escalated_recovery_level_known",
            ),
        ),
    ]
