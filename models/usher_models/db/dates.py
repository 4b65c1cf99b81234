"""Dates that Python cannot hold: a row of others may have `infinity`, or a year before 1 or after 9999.

Such a date reads as None. Raising, as psycopg does by default, one row would make every list unreadable that holds it.
"""

from datetime import date
from typing import Any

import psycopg
from psycopg import abc
from psycopg.adapt import Loader

_TYPES = ("timestamp", "timestamptz", "date")


class _DateLoader(Loader):
    usual: type[abc.Loader]

    def __init__(self, oid: int, context: abc.AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._usual = self.usual(oid, context)

    def load(self, data: abc.Buffer) -> date | None:
        try:
            found: date = self._usual.load(data)
        except psycopg.DataError:
            return None
        return found


def _loader_of(name: str) -> type[_DateLoader]:
    oid = psycopg.adapters.types[name].oid
    usual = psycopg.adapters.get_loader(oid, psycopg.pq.Format.TEXT)
    return type(f"_{name.title()}Loader", (_DateLoader,), {"usual": usual})


_LOADERS = {name: _loader_of(name) for name in _TYPES}


def read_odd_dates_as_none(driver: psycopg.AsyncConnection[Any]) -> None:
    """Let this connection read such dates as None."""
    for name, loader in _LOADERS.items():
        driver.adapters.register_loader(name, loader)
