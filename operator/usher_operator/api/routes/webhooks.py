"""The ledger of a user's webhooks: deliveries, their outcomes, and redelivery."""

from dataclasses import asdict, dataclass

from usher_models.db import webhook_deliveries
from usher_models.db.engine import Database
from usher_models.errors import NotFound
from usher_operator.api.framework.route import Call, Nothing, Route
from usher_operator.api.routes.users import READ, WRITE
from usher_operator.api.schemas.accounts import Deliveries, DeliveryResponse
from usher_operator.api.schemas.users import DeliveriesQuery, DeliveryPath


@dataclass(frozen=True, kw_only=True)
class Webhooks:
    """The handlers of /user/webhook/deliveries."""

    database: Database

    def routes(self) -> list[Route]:
        """The route table."""
        return [
            Route(
                method="GET",
                path="/user/webhook/deliveries",
                handler=self.deliveries,
                summary="List the webhook's deliveries, the newest first",
                tag="User",
                scopes=READ,
            ),
            Route(
                method="GET",
                # Where the newest gateway of Vexa forwards the route above to.
                path="/webhooks/deliveries",
                handler=self.deliveries,
                summary="List the webhook's deliveries, the newest first",
                tag="User",
                scopes=READ,
                hidden=True,
            ),
            Route(
                method="POST",
                path="/user/webhook/deliveries/{id}/redeliver",
                handler=self.redeliver,
                summary="Send a delivery again; a paused webhook resumes",
                tag="User",
                status=202,
                problems=(404,),
                scopes=WRITE,
            ),
        ]

    async def deliveries(self, call: Call[Nothing, DeliveriesQuery]) -> Deliveries:
        """One page."""
        query = call.query
        async with self.database.transaction() as connection:
            rows = await webhook_deliveries.deliveries(
                connection, call.user_id, limit=query.limit + 1, offset=query.offset
            )
        return Deliveries(
            deliveries=[_response(row) for row in rows[: query.limit]],
            limit=query.limit,
            offset=query.offset,
            has_more=len(rows) > query.limit,
        )

    async def redeliver(self, call: Call[DeliveryPath]) -> DeliveryResponse:
        """Send it within a second, with the same event id and content."""
        async with self.database.transaction() as connection:
            delivery = await webhook_deliveries.redeliver(connection, call.path.id, call.user_id)
        if delivery is None:
            raise NotFound("You have no such delivery.")
        return _response(delivery)


def _response(delivery: webhook_deliveries.Delivery) -> DeliveryResponse:
    return DeliveryResponse(**asdict(delivery))
