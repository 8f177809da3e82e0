from django.contrib import admin
from django.urls import include, path

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("login", views.log_in, name="login"),
    path("logout", views.log_out, name="logout"),
    path("documents", views.documents, name="documents"),
    path("documents/<str:item>", views.document, name="document"),
    path("sandbox/<slug:action>", views.control, name="control"),
    path("admin/", admin.site.urls),  # (broker) support pages
    path("favicon.ico", views.no_content),
    path("microsoft/", include("token_broker_client.django.urls")),  # (broker)
]
