from django.conf import settings
from django.db import migrations, models

PEOPLE = [
    ("u-1001", "Dr. Jane", "Doe"),
    ("u-1002", "Nurse Sam", "Roe"),
    ("u-1003", "Dr. Alex", "Poe"),
    ("u-1004", "Kim", "Lowe"),
]


def add_people(apps, schema_editor):
    app, model = settings.AUTH_USER_MODEL.split(".")
    users = apps.get_model(app, model)
    for username, first, last in PEOPLE:
        users.objects.get_or_create(
            username=username, defaults={"first_name": first, "last_name": last, "password": "!"}
        )


class Migration(migrations.Migration):
    initial = True
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]
    operations = [
        migrations.CreateModel(
            name="Oauth2Integration",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(default="microsoft", max_length=20)),
                ("access_token", models.TextField(null=True)),
                ("refresh_token", models.TextField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("scope", models.TextField(default="Files.ReadWrite.All User.Read")),
                ("updated_at", models.DateTimeField()),
                ("user", models.ForeignKey(on_delete=models.CASCADE, to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.RunPython(add_people, migrations.RunPython.noop),
    ]
