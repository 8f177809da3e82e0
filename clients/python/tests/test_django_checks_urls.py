"""URLs of a site that has the pages of the package elsewhere."""

from django.urls import include, path

urlpatterns = [path("ms/", include("token_broker_client.django.urls"))]
