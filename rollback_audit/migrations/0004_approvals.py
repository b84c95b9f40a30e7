from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rollback_audit", "0003_governed_sending")]

    operations: list[migrations.operations.base.Operation] = []
