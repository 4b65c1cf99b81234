"""The settings of a control plane under test: the defaults, for the namespace `bots`, whatever the environment says."""

from typing import Any

from pydantic import SecretStr

from usher_operator.settings import Settings

# The id of the installation under test.
INSTALLATION = "5b2f7c1e-9d0a-4e6b-8f3c-2a1d4c6e8f01"


def some_settings(**fields: Any) -> Settings:
    """Settings as they are without any variable set, but for the database and `fields`."""
    plain = {name: field.default for name, field in Settings.model_fields.items() if not field.is_required()}
    given = {"database_url": SecretStr("postgresql+psycopg://usher@127.0.0.1/nowhere"), "namespaces": ("bots",)}
    return Settings(**plain | given | fields)
