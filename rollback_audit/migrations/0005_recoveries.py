import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rollback_audit", "0004_approvals"),
    ]

    operations = [
        migrations.CreateModel(
            name="Recovery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("recovery_id", models.CharField(max_length=64, unique=True)),
                ("playbook_id", models.CharField(max_length=64)),
                ("provider", models.CharField(max_length=63)),
                (
                    "category",
                    models.CharField(
                        choices=[("siem", "siem"), ("itsm", "itsm"), ("chatops", "chatops"), ("webhook", "webhook")],
                        max_length=16,
                    ),
                ),
                ("state", models.CharField(choices=[("open", "open"), ("closed", "closed")], max_length=16)),
                ("failure_count", models.PositiveIntegerField()),
                ("first_failure_at", models.DateTimeField()),
                ("latest_failure_at", models.DateTimeField()),
                ("status_codes", models.JSONField(default=list)),
                ("failure_kinds", models.JSONField(default=list)),
                (
                    "closure_state",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("resolved", "resolved"),
                            ("mitigated", "mitigated"),
                            ("deferred", "deferred"),
                            ("escalated", "escalated"),
                            ("reopened", "reopened"),
                        ],
                        max_length=16,
                        null=True,
                    ),
                ),
                ("opened_by", models.CharField(max_length=150)),
                ("opened_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name_plural": "recoveries",
                "ordering": ["-id"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RecoveryClosure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("closure_id", models.CharField(max_length=64, unique=True)),
                (
                    "closure_state",
                    models.CharField(
                        choices=[
                            ("resolved", "resolved"),
                            ("mitigated", "mitigated"),
                            ("deferred", "deferred"),
                            ("escalated", "escalated"),
                            ("reopened", "reopened"),
                        ],
                        max_length=16,
                    ),
                ),
                ("external_ref", models.CharField(blank=True, max_length=200)),
                ("notes", models.TextField(blank=True)),
                ("verification_refs", models.JSONField(default=list)),
                ("closed_by", models.CharField(max_length=128)),
                ("actor", models.CharField(max_length=150)),
                ("closed_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RecoveryPlaybook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("playbook_id", models.CharField(max_length=64, unique=True)),
                ("min_failure_count", models.PositiveIntegerField()),
                ("lookback_hours", models.PositiveIntegerField()),
                ("provider_count", models.PositiveIntegerField()),
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
            name="RecoveryPlaybookEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("failure_count", models.PositiveIntegerField()),
                ("first_failure_at", models.DateTimeField()),
                ("latest_failure_at", models.DateTimeField()),
                ("status_codes", models.JSONField(default=list)),
                ("failure_kinds", models.JSONField(default=list)),
                ("recovery_steps", models.JSONField(default=list)),
            ],
            options={
                "verbose_name_plural": "recovery playbook entries",
                "ordering": ["id"],
                "default_permissions": (),
            },
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("delivered_at__isnull", False)),
                fields=["connector", "delivered_at"],
                name="delivery_confirmed",
            ),
        ),
        migrations.AddIndex(
            model_name="deliveryattempt",
            index=models.Index(
                condition=models.Q(("failure_kind__isnull", False)), fields=["settled_at"], name="attempt_failures"
            ),
        ),
        migrations.AddField(
            model_name="recovery",
            name="connector",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="recoveries", to="rollback_audit.connector"
            ),
        ),
        migrations.AddField(
            model_name="recoveryclosure",
            name="recovery",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="closures", to="rollback_audit.recovery"
            ),
        ),
        migrations.AddField(
            model_name="recoveryclosure",
            name="playbook",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="closures",
                to="rollback_audit.recoveryplaybook",
            ),
        ),
        migrations.AddField(
            model_name="recoveryplaybookentry",
            name="playbook",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="rollback_audit.recoveryplaybook",
            ),
        ),
        migrations.AddField(
            model_name="recoveryplaybookentry",
            name="recovery",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="entries", to="rollback_audit.recovery"
            ),
        ),
        migrations.AddConstraint(
            model_name="recovery",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")), fields=("connector",), name="recovery_one_open_per_connector"
            ),
        ),
        migrations.AddConstraint(
            model_name="recovery",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "closed"])), name="recovery_state_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="recovery",
            constraint=models.CheckConstraint(
                condition=models.Q(("category__in", ["siem", "itsm", "chatops", "webhook"])),
                name="recovery_category_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="recovery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("closure_state__in", ["resolved", "mitigated", "deferred", "escalated", "reopened"])
                ),
                name="recovery_closure_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="recovery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at__isnull", True), ("state", "open")),
                    models.Q(("closed_at__isnull", False), ("state", "closed")),
                    _connector="OR",
                ),
                name="recovery_closed_has_a_moment",
            ),
        ),
        migrations.AddConstraint(
            model_name="recovery",
            constraint=models.CheckConstraint(
                condition=models.Q(("failure_count__gte", 1), ("first_failure_at__lte", models.F("latest_failure_at"))),
                name="recovery_has_a_failure",
            ),
        ),
        migrations.AddConstraint(
            model_name="recoveryclosure",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("closure_state__in", ["resolved", "mitigated", "deferred", "escalated", "reopened"])
                ),
                name="closure_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="recoveryplaybookentry",
            constraint=models.UniqueConstraint(fields=("playbook", "recovery"), name="playbook_entry_once"),
        ),
    ]
