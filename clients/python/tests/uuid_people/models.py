import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class Person(AbstractBaseUser, PermissionsMixin):
    """A user without ``username``, ``email``, ``first_name`` and ``get_full_name``."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    login_mail = models.EmailField(unique=True)
    full_name = models.CharField(max_length=100)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    objects = BaseUserManager()
    USERNAME_FIELD = EMAIL_FIELD = "login_mail"
