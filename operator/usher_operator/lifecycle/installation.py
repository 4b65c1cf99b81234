"""The installation's id: every Job, pod and BotRequest of this database carries it, and those of others are left alone.

Two installations in one namespace would each take the other's Jobs for orphans. The id is made with the schema, so a
restored database is the same installation and an empty one is not.
"""

from usher_models.db.engine import Database
from usher_models.db.installation import installation_id
from usher_models.errors import UsherError
from usher_operator.kube.port import KubePort


class ForeignNamespace(UsherError):
    """The namespace has objects of another Usher installation."""

    code = "foreign_namespace"


class Installation:
    """Reads the id once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._id: str | None = None

    async def id(self) -> str:
        """The id. Raises DatabaseUnavailable."""
        if self._id is None:
            async with self._database.reading() as connection:
                self._id = str(await installation_id(connection))
        return self._id


async def check_namespace(kube: KubePort, namespace: str, *, installation: str) -> None:
    """Raises ForeignNamespace if another installation has Jobs or BotRequests there, KubernetesUnavailable."""
    foreign = await kube.foreign_objects(namespace, installation=installation)
    if foreign:
        names = ", ".join(foreign[:3]) + (", …" if len(foreign) > 3 else "")
        raise ForeignNamespace(
            f"Namespace {namespace} has {len(foreign)} Jobs or BotRequests of another Usher installation ({names})."
            f" This one is {installation}. Stop the other one or serve another namespace; if the other one no longer"
            " exists, delete what it left behind."
        )
