import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """The second approver."""

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("rollback_audit", "0003_governed_sending"),
    ]

    operations = [
        migrations.AddField(
            model_name="approvalplan",
            name="approvals_needed",
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="approvaldecision",
            name="needs_second",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="approvaldecision",
            name="second_approver",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="approvaldecision",
            name="seconded_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="approvaldecision",
            name="seconded_by",
            field=models.CharField(blank=True, max_length=128),
        ),
        migrations.AddField(
            model_name="approvaldecision",
            name="second_external_ref",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="approvaldecision",
            name="second_notes",
            field=models.TextField(blank=True),
        ),
        migrations.AddConstraint(
            model_name="approvalplan",
            constraint=models.CheckConstraint(
                condition=models.Q(("approvals_needed__in", [1, 2])), name="approval_plan_needs_one_or_two"
            ),
        ),
        migrations.AddConstraint(
            model_name="approvaldecision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("second_approver__isnull", True), ("seconded_at__isnull", True)),
                    models.Q(
                        ("approval_state", "approved"),
                        ("needs_second", True),
                        ("second_approver__isnull", False),
                        ("seconded_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="approval_second_is_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="approvaldecision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("second_approver__isnull", True),
                    models.Q(("second_approver", models.F("approver")), _negated=True),
                    _connector="OR",
                ),
                name="approval_second_is_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="approvaldecision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("consumed_at__isnull", True),
                    ("needs_second", False),
                    ("seconded_at__isnull", False),
                    _connector="OR",
                ),
                name="approval_used_with_its_second",
            ),
        ),
    ]
