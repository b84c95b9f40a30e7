from django.db import migrations

from rollback_audit.engine import roles


class Migration(migrations.Migration):
    """The four roles. Going back leaves them: people may be in them."""

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("rollback_audit", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(lambda apps, schema_editor: roles.install(apps), migrations.RunPython.noop),
    ]
