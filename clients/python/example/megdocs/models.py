from django.conf import settings
from django.db import models


class Oauth2Integration(models.Model):
    """The old table, in which MEGDocs stored tokens before it used the broker."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    provider = models.CharField(max_length=20, default="microsoft")
    access_token = models.TextField(null=True)
    refresh_token = models.TextField()
    expires_at = models.DateTimeField(null=True)
    scope = models.TextField(default="Files.ReadWrite.All User.Read")
    updated_at = models.DateTimeField()
