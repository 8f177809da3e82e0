from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("token_broker", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="Disconnect",
            fields=[
                ("user_id", models.CharField(max_length=128, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_index=True)),
                ("is_confirmed", models.BooleanField()),
            ],
        ),
    ]
