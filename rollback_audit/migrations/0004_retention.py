import django.db.models.deletion
from django.db import migrations, models

from rollback_audit.models import guards


class Migration(migrations.Migration):
    """Legal holds and what was pruned; the ledger's guard lets go what lies in a pruned span."""

    dependencies = [
        ("rollback_audit", "0003_ledger"),
    ]

    operations = [
        # Going back, the tables that are left get their guards again: this runs last then.
        migrations.RunPython(
            lambda apps, schema_editor: guards.remove(schema_editor),
            lambda apps, schema_editor: guards.install(schema_editor),
        ),
        migrations.CreateModel(
            name="PrunedEntry",
            fields=[
                ("entry_id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("index", models.BigIntegerField(unique=True)),
            ],
            options={
                "verbose_name_plural": "pruned entries",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="LegalHold",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hold_id", models.CharField(max_length=64, unique=True)),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("audit", "audit"),
                            ("delivery", "delivery"),
                            ("schedule", "schedule"),
                            ("everything", "everything"),
                        ],
                        max_length=16,
                    ),
                ),
                ("subject_id", models.CharField(blank=True, max_length=64)),
                ("reason", models.CharField(max_length=500)),
                ("placed_by", models.CharField(max_length=150)),
                ("placed_at", models.DateTimeField()),
                ("released_at", models.DateTimeField(blank=True, null=True)),
                ("released_by", models.CharField(blank=True, max_length=150)),
                ("release_reason", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        condition=models.Q(("released_at__isnull", True)), fields=["id"], name="legal_hold_in_force"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("scope__in", ["audit", "delivery", "schedule", "everything"])),
                        name="legal_hold_scope_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("scope", "everything"), ("subject_id", "")),
                            models.Q(
                                models.Q(("scope", "everything"), _negated=True),
                                models.Q(("subject_id", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="legal_hold_names_its_subject",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="legal_hold_has_a_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("release_reason", ""), ("released_at__isnull", True), ("released_by", "")),
                            models.Q(
                                ("released_at__gte", models.F("placed_at")),
                                models.Q(("released_by", ""), _negated=True),
                                models.Q(("release_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="legal_hold_release_is_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PrunedSpan",
            fields=[
                ("first_index", models.BigIntegerField(primary_key=True, serialize=False)),
                ("end_index", models.BigIntegerField()),
                ("pruned_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["first_index"],
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("end_index__gt", models.F("first_index")), ("first_index__gte", 0)),
                        name="pruned_span_has_length",
                    )
                ],
            },
        ),
        # Pruning a decision asks what names it.
        migrations.RemoveConstraint(model_name="workerresult", name="worker_result_once"),
        migrations.AddConstraint(
            model_name="workerresult",
            constraint=models.UniqueConstraint(fields=("decision", "run"), name="worker_result_once"),
        ),
        migrations.AlterField(
            model_name="approvaldecision",
            name="retry_decision",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="approval_decisions",
                to="rollback_audit.retrydecision",
            ),
        ),
        migrations.AlterField(
            model_name="approvalplanentry",
            name="decision",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="approval_entries",
                to="rollback_audit.retrydecision",
            ),
        ),
        migrations.RunPython(
            lambda apps, schema_editor: guards.install(schema_editor),
            lambda apps, schema_editor: guards.remove(schema_editor),
        ),
    ]
