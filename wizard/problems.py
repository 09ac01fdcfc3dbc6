"""The one exception for everything that a user, a cluster, a database or a network can cause."""

from wizard.exits import Exit


class Problem(Exception):
    """A condition that a person must hear about, told so that they can act on it.

    Attributes:
        id: the catalogue entry (`LSA203`); `langsmith-audit explain ID` tells more.
        what: what happened, one sentence, no secret in it.
        on: the object it happened on (`release langsmith in namespace langsmith`).
        next_step: the next command to type or thing to do.
        exit: the exit code when nothing was changed before it.
        detail: further lines (a tool's own words), already redacted.
        paste: a text to be pasted somewhere, which is shown without anything before its lines.
    """

    def __init__(
        self,
        id: str,
        what: str,
        *,
        on: str,
        next_step: str,
        exit: Exit = Exit.UNKNOWN,
        detail: tuple[str, ...] = (),
        paste: str = "",
    ) -> None:
        super().__init__(what)
        self.id = id
        self.what = what
        self.on = on
        self.next_step = next_step
        self.exit = exit
        self.detail = detail
        self.paste = paste

    def but(self, *, what: str = "", detail: tuple[str, ...] = ()) -> "Problem":
        """The same problem told in other words, or with further lines after its own."""
        return Problem(
            self.id,
            what or self.what,
            on=self.on,
            next_step=self.next_step,
            exit=self.exit,
            detail=(*self.detail, *detail),
            paste=self.paste,
        )
