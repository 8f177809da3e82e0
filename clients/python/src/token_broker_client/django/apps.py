from django.apps import AppConfig


class TokenBrokerConfig(AppConfig):
    name = "token_broker_client.django"
    label = "token_broker"
    verbose_name = "Token broker"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, receivers

        checks.connect()
        receivers.connect()
