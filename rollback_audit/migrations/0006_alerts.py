from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rollback_audit", "0005_recoveries")]

    operations: list[migrations.operations.base.Operation] = []
