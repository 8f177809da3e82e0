from django.conf import settings
from django.db import migrations


def add_support(apps, schema_editor):
    """Somebody who may open the admin. Like the others, they log in without a password: this is a sandbox."""
    app, model = settings.AUTH_USER_MODEL.split(".")
    apps.get_model(app, model).objects.get_or_create(
        username="u-support",
        defaults={
            "first_name": "Pat",
            "last_name": "Moe (support)",
            "password": "!",
            "is_staff": True,
            "is_superuser": True,
        },
    )


class Migration(migrations.Migration):
    dependencies = [("megdocs", "0001_initial")]
    operations = [migrations.RunPython(add_support, migrations.RunPython.noop)]
