"""The session of a connection that is in a process of its own, see `driver`.

Limits are kept there, as in `libpq`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.record import replace
from wizard.systems.calls import logged
from wizard.systems.postgres.errors import refusal
from wizard.systems.postgres.session import Row, Session

if TYPE_CHECKING:
    from wizard.systems.postgres.driver import Driver
    from wizard.systems.postgres.model import Login
    from wizard.systems.postgres.statements import Statement


class ApartSession(Session):
    """The session of that process."""

    def __init__(self, login: Login, driver: Driver) -> None:
        super().__init__(login)
        self._driver = driver
        self._lost = False

    @classmethod
    def open(cls, login: Login, driver: Driver, connect_limit: int) -> ApartSession:
        """Log in.

        Raises:
            Problem: as `LibpqSession.open`.
            EOFError: the process has ended.
        """
        problem, *_ = driver.ask(replace(login, psql=None, otherwise=None), connect_limit)
        if problem:
            driver.end()
            raise problem
        return cls(login, driver)

    def close(self) -> None:
        """End the connection, and its process."""
        self._driver.end()

    @property
    def lost(self) -> bool:
        """Whether the connection ended by itself."""
        return self._lost

    def roll_back(self) -> None:
        """See `Session.roll_back`."""
        if not self._driver.ended:
            self._ask("roll_back")

    def rows(self, query: Statement, **values: Any) -> list[Row]:
        """See `Session.rows`."""
        with logged("sql", query.label) as asked:
            found: list[Row] = self._ask("rows", query, **values)
            asked.ended = f"{len(found)} rows"
        return found

    def tuples(self, query: Statement, **values: Any) -> list[tuple[Any, ...]]:
        """See `Session.tuples`."""
        with logged("sql", query.label) as asked:
            found: list[tuple[Any, ...]] = self._ask("tuples", query, **values)
            asked.ended = f"{len(found)} rows"
        return found

    def run(self, query: Statement, **values: Any) -> int:
        """See `Session.run`."""
        with logged("sql", query.label) as asked:
            count: int = self._ask("run", query, **values)
            asked.ended = f"{max(count, 0)} rows"
        return count

    def _ask(self, name: str, *told: Any, **values: Any) -> Any:
        try:
            problem, self._lost, *found = self._driver.ask(name, self.limits, told, values)
        except EOFError:
            self._lost = True
            raise refusal(None, "its process has ended", self.login, self.limits) from None
        if problem:
            raise problem
        return found[0]
