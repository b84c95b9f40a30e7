import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

import rollback_audit.states
from rollback_audit.engine import roles
from rollback_audit.states import Permission


class Migration(migrations.Migration):
    dependencies = [("rollback_audit", "0002_roles")]

    operations = [
        migrations.AlterModelOptions(
            name="access",
            options={
                "default_permissions": (),
                "managed": False,
                "permissions": [(word.value, word.value.replace("_", " ")) for word in Permission],
            },
        ),
        migrations.RunPython(lambda apps, schema_editor: roles.install(apps), migrations.RunPython.noop),
        migrations.CreateModel(
            name="RunLane",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("wave", models.PositiveIntegerField(default=1)),
                ("wave_from", models.PositiveIntegerField(default=1)),
                ("open_until", models.PositiveIntegerField()),
                (
                    "stop_reason",
                    models.CharField(
                        blank=True,
                        choices=[("failure_rate", "failure rate"), ("consecutive_failures", "consecutive failures")],
                        max_length=32,
                        null=True,
                    ),
                ),
                ("stopped_at", models.DateTimeField(blank=True, null=True)),
                ("selected_count", models.PositiveIntegerField()),
                ("delivered_count", models.PositiveIntegerField(default=0)),
                ("failed_count", models.PositiveIntegerField(default=0)),
                ("skipped_count", models.PositiveIntegerField(default=0)),
                ("unknown_count", models.PositiveIntegerField(default=0)),
                ("remaining_count", models.PositiveIntegerField(default=0)),
            ],
            options={
                "ordering": ["run_id", "connector_id"],
                "default_permissions": (),
            },
        ),
        migrations.RemoveConstraint(
            model_name="delivery",
            name="delivery_failed_has_a_failure",
        ),
        migrations.RemoveIndex(
            model_name="workerresult",
            name="worker_result_remaining",
        ),
        migrations.AddField(
            model_name="connector",
            name="circuit",
            field=models.CharField(
                choices=[("closed", "closed"), ("open", "open"), ("half_open", "half open")],
                default=rollback_audit.states.CircuitState["CLOSED"],
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="connector",
            name="circuit_failures",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="connector",
            name="circuit_successes",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="connector",
            name="circuit_until",
            field=models.DateTimeField(blank=True, help_text="When an open circuit may be probed.", null=True),
        ),
        migrations.AddField(
            model_name="connector",
            name="circuit_window_from",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="connector",
            name="next_send_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="connector",
            name="repeat_check",
            field=models.CharField(
                choices=[("never", "never"), ("by_key", "by key"), ("by_receipt", "by receipt")],
                default=rollback_audit.states.RepeatCheck["NEVER"],
                help_text="How it is asked before a repeat.",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="receipt",
            field=models.PositiveBigIntegerField(
                blank=True, help_text="The number by which the receiver can be asked about it.", null=True
            ),
        ),
        migrations.AddField(
            model_name="deliveryattempt",
            name="already_held",
            field=models.BooleanField(
                default=False, db_default=False, help_text="The receiver had it from an earlier try."
            ),
        ),
        migrations.AddField(
            model_name="retryplan",
            name="connector_revisions",
            field=models.JSONField(default=dict, help_text="The revision of each connector it decided on."),
        ),
        migrations.AddField(
            model_name="workerresult",
            name="connector",
            field=models.ForeignKey(
                db_index=False,
                default=1,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="results",
                to="rollback_audit.connector",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="workerresult",
            name="drift",
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="workerresult",
            name="lane_ordinal",
            field=models.PositiveIntegerField(default=1),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="workerrun",
            name="pause_reason",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="workerrun",
            name="paused_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="workerrun",
            name="paused_by",
            field=models.CharField(blank=True, max_length=150),
        ),
        migrations.AddField(
            model_name="workerrun",
            name="waves",
            field=models.CharField(blank=True, help_text="The sizes of its canary waves.", max_length=64),
        ),
        # Before there were waves, a live run went out at once.
        migrations.RunPython(
            lambda apps, schema_editor: (
                apps.get_model("rollback_audit", "WorkerRun").objects.filter(dry_run=False).update(waves="rest")
            ),
            migrations.RunPython.noop,
        ),
        migrations.AddConstraint(
            model_name="workerrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("dry_run", True),
                    ("waves", ""),
                )
                | (models.Q(("dry_run", False)) & ~models.Q(("waves", ""))),
                name="worker_run_mode_is_kept",
            ),
        ),
        migrations.AddIndex(
            model_name="workerresult",
            index=models.Index(
                condition=models.Q(("state__in", ["remaining", "sending"])),
                fields=["run", "connector", "lane_ordinal"],
                name="worker_result_unsettled",
            ),
        ),
        migrations.AddConstraint(
            model_name="connector",
            constraint=models.CheckConstraint(
                condition=models.Q(("circuit__in", ["closed", "open", "half_open"])), name="connector_circuit_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="connector",
            constraint=models.CheckConstraint(
                condition=models.Q(("repeat_check__in", ["never", "by_key", "by_receipt"])),
                name="connector_repeat_check_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="connector",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("circuit", "open"), ("circuit_until__isnull", False), ("hold__isnull", False)),
                    models.Q(models.Q(("circuit", "open"), _negated=True), ("circuit_until__isnull", True)),
                    _connector="OR",
                ),
                name="connector_open_circuit_holds",
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "failed"), _negated=True), ("last_failed_at__isnull", False), _connector="OR"
                ),
                name="delivery_failed_has_a_failure",
            ),
        ),
        migrations.AddConstraint(
            model_name="workerrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("paused_at__isnull", True), ("paused_by", "")),
                    models.Q(
                        ("dry_run", False),
                        ("paused_at__isnull", False),
                        models.Q(("paused_by", ""), _negated=True),
                        models.Q(("pause_reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="worker_run_pause_has_a_reason",
            ),
        ),
        migrations.AddField(
            model_name="runlane",
            name="connector",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lanes",
                to="rollback_audit.connector",
            ),
        ),
        migrations.AddField(
            model_name="runlane",
            name="run",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lanes",
                to="rollback_audit.workerrun",
            ),
        ),
        migrations.AddConstraint(
            model_name="runlane",
            constraint=models.UniqueConstraint(fields=("run", "connector"), name="run_lane_once"),
        ),
        migrations.AddConstraint(
            model_name="runlane",
            constraint=models.CheckConstraint(
                condition=models.Q(("stop_reason__in", ["failure_rate", "consecutive_failures"])),
                name="run_lane_stop_reason_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="runlane",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("stop_reason__isnull", True), ("stopped_at__isnull", True)),
                    models.Q(("stop_reason__isnull", False), ("stopped_at__isnull", False)),
                    _connector="OR",
                ),
                name="run_lane_stop_has_a_moment",
            ),
        ),
        migrations.AddConstraint(
            model_name="runlane",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("open_until__lte", models.F("selected_count")),
                    ("wave_from__gte", 1),
                    ("wave_from__lte", models.F("open_until")),
                ),
                name="run_lane_wave_within_selection",
            ),
        ),
        migrations.AddConstraint(
            model_name="runlane",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "selected_count",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("delivered_count"), "+", models.F("failed_count")
                                    ),
                                    "+",
                                    models.F("skipped_count"),
                                ),
                                "+",
                                models.F("unknown_count"),
                            ),
                            "+",
                            models.F("remaining_count"),
                        ),
                    )
                ),
                name="run_lane_adds_up",
            ),
        ),
    ]
