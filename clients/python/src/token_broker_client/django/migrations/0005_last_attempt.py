from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("token_broker", "0004_connection")]
    operations = [
        migrations.AddField("connectattempt", "connect_session_id", models.CharField(default="", max_length=36)),
        migrations.AddField("connectattempt", "reason", models.CharField(default="", max_length=64)),
        migrations.AddField("connectattempt", "who_acts", models.CharField(default="", max_length=32)),
        migrations.AddField("connectattempt", "admin_consent_url", models.TextField(default="")),
        migrations.AddField("connectionevent", "username", models.CharField(blank=True, default="", max_length=512)),
        migrations.AlterField(
            "connection", "refreshed_at", models.DateTimeField(null=True, verbose_name="present token issued")
        ),
        migrations.AlterField(
            "connection", "last_read_at", models.DateTimeField(null=True, verbose_name="last handed out")
        ),
    ]
