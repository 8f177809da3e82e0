from django.conf import settings
from django.db import models


class Oauth2Integration(models.Model):
    """The old table: what MEGDocs held itself before it adopted the broker."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    access_token = models.TextField(null=True)
    refresh_token = models.TextField()
    expires_at = models.DateTimeField(null=True)
    scope = models.TextField(default="Files.ReadWrite.All User.Read")
    updated_at = models.DateTimeField()
