"""How a walk that changes things ends early: with what was changed, and what to type next."""

from __future__ import annotations

from collections.abc import Callable

from wizard.console import screen
from wizard.console.signals import Interrupted, Stopped
from wizard.exits import Exit
from wizard.problems import Problem
from wizard.walks.answers import Declined
from wizard.walks.changing import Changing, HandedOver
from wizard.walks.taking_back import TakenBack

ONCE_RUN = "once the SQL has been run: langsmith-audit run goes on, and asks the server"


def carried_out(walk: Callable[[], Exit], changing: Changing, *, again: str, afresh: str) -> Exit:
    """The walk's exit code; whatever ends it early is told with what was changed.

    `again` is what to type where something was changed, `afresh` where nothing was.
    """

    def left(why: str, exit: Exit, next_step: str = "") -> Exit:
        next_step = next_step or (again if changing.touched else afresh)
        block = screen.left_block(why, changing.changed, changing.going_on, next_step)
        screen.talk().print(block)
        return Exit.STOPPED if changing.touched else exit

    try:
        return walk()
    except Declined:
        return left("You left before the next change", Exit.DECLINED)
    except HandedOver as handed:
        return left(str(handed), Exit.PENDING, ONCE_RUN)
    except TakenBack as back:
        return left(str(back), Exit.UNDONE)
    except Stopped:
        return left("Stopped at a safe point, as you asked", Exit.INTERRUPTED)
    except KeyboardInterrupt as interrupt:
        exit = interrupt.exit if isinstance(interrupt, Interrupted) else Exit.INTERRUPTED
        return left("Interrupted", exit)
    except Problem as problem:
        screen.talk().print(screen.problem_block(problem, changing.changed))
        return Exit.STOPPED if changing.touched else problem.exit
    except Exception:
        left("An unexpected error", Exit.UNEXPECTED)
        raise
