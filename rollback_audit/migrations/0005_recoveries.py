from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rollback_audit", "0004_approvals")]

    operations: list[migrations.operations.base.Operation] = []
