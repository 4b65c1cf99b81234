"""The ledger of a user's webhooks: deliveries, their outcomes, and redelivery."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from usher_models.db import webhook_deliveries
from usher_models.db.engine import Database
from usher_models.errors import NotFound
from usher_operator.api.framework.route import Call, Nothing, Route
from usher_operator.api.schemas.requests import INT_MAX, Input
from usher_operator.api.schemas.responses import Time


class DeliveriesQuery(Input):
    """Which deliveries, the newest first."""

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    offset: Annotated[int, Field(ge=0, le=INT_MAX)] = 0


class DeliveryPath(Input):
    """A delivery by its id."""

    id: Annotated[int, Field(ge=1, le=2**63 - 1)]


class DeliveryResponse(BaseModel):
    """One delivery: `payload` is the body, `last_status` and `last_error` are the outcome of the last attempt."""

    id: int
    event_id: str
    event_type: str
    meeting_id: int
    state: Literal["pending", "delivered", "failed", "paused"]
    attempts: int
    next_attempt_at: Time | None
    last_status: int | None
    last_error: str | None
    created_at: Time
    delivered_at: Time | None
    payload: dict[str, Any]


class Deliveries(BaseModel):
    """One page of the ledger; `has_more` says whether another follows."""

    deliveries: list[DeliveryResponse]
    limit: int
    offset: int
    has_more: bool


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
            ),
            Route(
                method="POST",
                path="/user/webhook/deliveries/{id}/redeliver",
                handler=self.redeliver,
                summary="Send a delivery again; a paused webhook resumes",
                tag="User",
                status=202,
                problems=(404,),
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
