from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("token_broker", "0002_disconnect")]
    operations = [
        migrations.CreateModel(
            name="ConnectAttempt",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("login", models.CharField(db_index=True, max_length=64)),
                ("user_id", models.CharField(db_index=True, max_length=128)),
                ("next_url", models.TextField(default="")),
                ("result_url", models.TextField(default="")),
                ("begun_at", models.DateTimeField(db_index=True)),
                ("completed_at", models.DateTimeField(null=True)),
            ],
        ),
    ]
