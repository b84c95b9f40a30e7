import django.db.models.functions.text
import django.db.models.lookups
from django.conf import settings
from django.db import migrations, models

from rollback_audit.models import guards


class Migration(migrations.Migration):
    """The tree over the ledger, its checkpoints, and the triggers that keep both append-only."""

    dependencies = [
        ("rollback_audit", "0002_roles"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LedgerCheckpoint",
            fields=[
                ("tree_size", models.BigIntegerField(primary_key=True, serialize=False)),
                ("root_hash", models.BinaryField()),
                ("note", models.TextField()),
                ("signed_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-tree_size"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="LedgerLeaf",
            fields=[
                ("index", models.BigIntegerField(primary_key=True, serialize=False)),
                ("entry_pk", models.BigIntegerField(unique=True)),
                ("leaf_hash", models.BinaryField()),
            ],
            options={
                "verbose_name_plural": "ledger leaves",
                "ordering": ["index"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="LedgerNode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("level", models.PositiveSmallIntegerField()),
                ("position", models.BigIntegerField()),
                ("node_hash", models.BinaryField()),
            ],
            options={
                "ordering": ["level", "position"],
                "default_permissions": (),
            },
        ),
        migrations.AlterModelOptions(
            name="access",
            options={
                "default_permissions": (),
                "managed": False,
                "permissions": [
                    ("view_evidence", "view evidence"),
                    ("plan_retry", "plan retry"),
                    ("review_retry", "review retry"),
                    ("acknowledge_drill", "acknowledge drill"),
                    ("deliver_evidence", "deliver evidence"),
                    ("run_dry", "run dry"),
                    ("request_approval", "request approval"),
                    ("approve_retry", "approve retry"),
                    ("execute_retry", "execute retry"),
                    ("edit_connectors", "edit connectors"),
                    ("edit_schedules", "edit schedules"),
                    ("acknowledge_alert", "acknowledge alert"),
                    ("open_recovery", "open recovery"),
                    ("close_recovery", "close recovery"),
                    ("retain_evidence", "retain evidence"),
                ],
            },
        ),
        migrations.AddField(
            model_name="approvaldecision",
            name="four_eyes",
            field=models.CharField(
                choices=[("on", "on"), ("off", "off"), ("strict", "strict")], default="on", max_length=8
            ),
        ),
        migrations.AlterField(
            model_name="evidenceentry",
            name="metadata_kind",
            field=models.CharField(
                choices=[
                    ("go-backend-rollback-drill-notification-plan", "go-backend-rollback-drill-notification-plan"),
                    ("go-backend-rollback-drill-notification-ack", "go-backend-rollback-drill-notification-ack"),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-package",
                        "go-backend-rollback-drill-acknowledgement-audit-package",
                    ),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-plan",
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-plan",
                    ),
                    ("release-connector-delivery", "release-connector-delivery"),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-plan",
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-plan",
                    ),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-worker-run",
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-worker-run",
                    ),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-ack",
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-ack",
                    ),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-execution-approval-plan",
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-execution-approval-plan",
                    ),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-execution-approval-decision",
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-execution-approval-decision",
                    ),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-execution-record",
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-execution-record",
                    ),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-connector-recovery-playbook",
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-connector-recovery-playbook",
                    ),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-connector-recovery-closure",
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-connector-recovery-closure",
                    ),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-worker-health-alert-plan",
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-worker-health-alert-plan",
                    ),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-worker-health-alert-ack",
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-worker-health-alert-ack",
                    ),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-recovery-report",
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-recovery-report",
                    ),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-recovery-escalation-plan",
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-recovery-escalation-plan",
                    ),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-recovery-escalation-ack",
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-recovery-escalation-ack",
                    ),
                    (
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-recovery-executive-report",
                        "go-backend-rollback-drill-acknowledgement-audit-delivery-recovery-executive-report",
                    ),
                    ("drill-schedule-changed", "drill-schedule-changed"),
                    ("attempt-sending", "attempt-sending"),
                    ("possible-duplicate", "possible-duplicate"),
                    ("late-result", "late-result"),
                    ("worker-run-queued", "worker-run-queued"),
                    ("worker-run-changed", "worker-run-changed"),
                    ("connector-changed", "connector-changed"),
                    ("connector-tested", "connector-tested"),
                    ("ledger-key", "ledger-key"),
                    ("ledger-pruned", "ledger-pruned"),
                    ("legal-hold-changed", "legal-hold-changed"),
                ],
                max_length=96,
            ),
        ),
        migrations.AddConstraint(
            model_name="approvaldecision",
            constraint=models.CheckConstraint(
                condition=models.Q(("four_eyes__in", ["on", "off", "strict"])), name="approval_four_eyes_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgercheckpoint",
            constraint=models.CheckConstraint(condition=models.Q(("tree_size__gt", 0)), name="checkpoint_of_something"),
        ),
        migrations.AddConstraint(
            model_name="ledgercheckpoint",
            constraint=models.CheckConstraint(
                condition=django.db.models.lookups.Exact(django.db.models.functions.text.Length("root_hash"), 32),
                name="checkpoint_root_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerleaf",
            constraint=models.CheckConstraint(condition=models.Q(("index__gte", 0)), name="leaf_index_counts_up"),
        ),
        migrations.AddConstraint(
            model_name="ledgerleaf",
            constraint=models.CheckConstraint(
                condition=django.db.models.lookups.Exact(django.db.models.functions.text.Length("leaf_hash"), 32),
                name="leaf_hash_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgernode",
            constraint=models.UniqueConstraint(fields=("level", "position"), name="node_once"),
        ),
        migrations.AddConstraint(
            model_name="ledgernode",
            constraint=models.CheckConstraint(
                condition=django.db.models.lookups.Exact(django.db.models.functions.text.Length("node_hash"), 32),
                name="node_hash_whole",
            ),
        ),
        # Last: whatever alters a guarded table on SQLite makes it anew, without its triggers.
        migrations.RunPython(
            lambda apps, schema_editor: guards.install(schema_editor),
            lambda apps, schema_editor: guards.remove(schema_editor),
        ),
    ]
