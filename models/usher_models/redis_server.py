"""Which Redis a process uses, and what it answered, in a line that never has the password."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

LONGEST = 300


@dataclass(frozen=True, kw_only=True)
class RedisServer:
    """The Redis of one URL."""

    address: str
    secrets: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, url: str) -> "RedisServer":
        """The Redis at `url`, which has a valid port."""
        parts = urlsplit(url)
        address = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
        password = parts.password or ""
        return cls(address=address, secrets=tuple({secret for secret in (password, unquote(password)) if secret}))

    def __str__(self) -> str:
        return f"the Redis at {self.address}"

    def words(self, failure: BaseException) -> str:
        """Which server failed, and what it or the driver said. What other code says may repeat parts of the URL."""
        known = isinstance(failure, OSError) or type(failure).__module__.startswith("redis.")
        said = " ".join(str(failure).split()) if known else ""
        if isinstance(failure, TimeoutError) and not said:
            said = "no answer in time"
        for secret in self.secrets:
            said = said.replace(secret, "***")
        return f"{self}: {said[:LONGEST] or type(failure).__name__}".rstrip(".")
