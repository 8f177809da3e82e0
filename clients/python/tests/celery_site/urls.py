from django.urls import include, path

urlpatterns = [path("microsoft/", include("token_broker_client.django.urls"))]
