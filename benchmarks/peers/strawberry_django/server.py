# mypy: ignore-errors
# It runs in an environment of its own, whose packages are not installed where types are checked.
"""Serves the types of schema.py: python server.py PORT"""

import os
import sys
from urllib.parse import unquote, urlsplit

import django
import uvicorn
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import path


def configure(url: str) -> None:
    """Settings for the database that `url` names."""
    parts = urlsplit(url)
    settings.configure(
        SECRET_KEY="bench",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        # without contenttypes, which hardly any project leaves out, each request would try to import it
        INSTALLED_APPS=["django.contrib.contenttypes", "strawberry_django"],
        USE_TZ=True,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": parts.path[1:],
                "USER": parts.username,
                "PASSWORD": unquote(parts.password or ""),
                "HOST": parts.hostname,
                "PORT": parts.port,
                # what Django asks for under ASGI, where connections of its own would be made for each request
                "OPTIONS": {"pool": {"min_size": 8, "max_size": 8}},
            }
        },
    )
    django.setup()


configure(os.environ["PEER_DATABASE_URL"])

from schema import schema  # noqa: E402  # models can be made only once Django is configured
from strawberry.django.views import AsyncGraphQLView  # noqa: E402  # the same

urlpatterns = [path("graphql", AsyncGraphQLView.as_view(schema=schema))]

if __name__ == "__main__":
    uvicorn.run(get_asgi_application(), port=int(sys.argv[1]), log_level="warning", access_log=False)
