"""The options of the exec driver: the operator checks what it hands out by the model that the bot reads it with."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from usher_models.wire import short_command

Seconds = Annotated[float, Field(ge=0, le=86_400)]


class ExecOptions(BaseModel):
    """Which program to run, what its environment and configuration have in addition, how long one that sends
    heartbeats may be silent (0: for ever), and when it leaves by itself: if no participant arrives, and after everyone
    left."""

    model_config = ConfigDict(extra="forbid")

    command: Annotated[list[str], Field(min_length=1), AfterValidator(short_command)]
    env: dict[str, str] = {}
    config: dict[str, JsonValue] = {}
    silence_s: Seconds = 120
    no_one_joined_s: Seconds = 120
    everyone_left_s: Seconds = 60
