from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rollback_audit", "0006_alerts")]

    operations: list[migrations.operations.base.Operation] = []
