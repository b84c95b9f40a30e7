from django.db import migrations

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
    ]
