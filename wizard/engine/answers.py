"""The answers: taken from flags and variables, asked for in a terminal, or reported as missing.

A release that was not named is found by looking.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from wizard.console import prompts
from wizard.console.entries import PAGE, Entry, Legend
from wizard.console.interrupts import Interrupted
from wizard.console.waiting import Waiting
from wizard.engine import answer_file
from wizard.files import read_file
from wizard.options import BY_NAME, Kind
from wizard.problems import Exit, Problem
from wizard.settings import Settings, Target, target_from
from wizard.systems.access import Systems

if TYPE_CHECKING:
    from wizard.records.journal import Run
    from wizard.systems.release.discovery import Found


LARGEST_KEY = 64 * 1024
"""Bytes of the file with the API key."""


class Declined(Exception):
    """The person left at a prompt, or said no."""


class Answers:
    """What was told, and how to get what was not."""

    def __init__(self, settings: Settings, *, may_ask: bool = True) -> None:
        self._settings = settings
        self._asked_for: list[str] = []
        self.may_ask = may_ask and prompts.possible() and not settings.get("no_input")
        if settings.get("answers"):
            answer_file.take(settings, Path(settings.get("answers")))
        _read_key_file(settings)

    def offer_kept(self) -> None:
        """Take the answers of a run that was left, where the person wants them.

        Raises:
            Declined: the person left.
        """
        kept = answer_file.offered(self._settings) if self.confirms else None
        if not kept or self._settings.told("answers"):
            return
        said = ", ".join(answer_file.names_in(kept))
        question = f"{BY_NAME['answers'].ask} ({said})"
        about = prompts.Aside(f"They are in {kept}, without secrets. n asks everything anew.")
        if self._asked(lambda: prompts.ask_yes(question, about)):
            self._asked_for += answer_file.take(self._settings, kept, "prompt")
        else:
            answer_file.forget()

    def save(self) -> None:
        """Write the answers where `--save-answers` asks for it.

        Raises:
            Problem: they cannot be written.
        """
        if name := self._settings.get("save_answers"):
            answer_file.save(self._settings, Path(name))

    @property
    def settings(self) -> Settings:
        """Everything that was told so far, with where it came from."""
        return self._settings

    def back(self) -> None:
        """Forget the answer that was given last, so that it is asked for again."""
        name = self._asked_for.pop()
        del self._settings.values[name], self._settings.origins[name]

    def settle(self) -> None:
        """What was answered has led to a change: no question is asked again."""
        self._asked_for.clear()

    @property
    def quiet(self) -> bool:
        """Whether only the last words are wanted; what is asked about is shown nevertheless."""
        return bool(self._settings.get("quiet")) and not self.confirms

    @property
    def tells_in_talk(self) -> bool:
        """Whether the last words go where the talk goes, not to standard output as a result.

        With a database by hand the SQL alone goes there, since it may lead to psql.
        """
        return self.may_ask or self._settings.get("database") == "manual"

    def _aside(self, name: str) -> prompts.Aside:
        return prompts.Aside(ABOUT.get(name) or BY_NAME[name].help, back=bool(self._asked_for))

    def target(self) -> Target:
        """The target with all answers so far; namespace and release have their defaults."""
        return target_from(self._settings)

    def locate(self, mine: Collection[tuple[str, str]] = ()) -> Target:
        """Settle context, namespace and release: told, found by looking, or asked for.

        Of several releases it is the one whose (namespace, name) is in `mine`, where one alone is.

        Raises:
            Problem: no kubeconfig, no such context, or several releases and none was named.
        """
        from wizard.systems.kubernetes.cluster import Cluster

        kubeconfig = self.target().kubeconfig
        contexts = Cluster.contexts(kubeconfig)
        if not self._settings.told("context") and len(contexts) > 1 and self.confirms:
            current = next((it.name for it in contexts if it.current), "")
            entries = [Entry(it.name, it.name, (it.server,)) for it in contexts]
            self._take(
                "context",
                lambda: prompts.ask_choice("context", entries, current, self._aside("context")),
            )
        if not (self._settings.told("namespace") and self._settings.told("release")):
            self._find(mine)
        if not self._settings.told("namespace"):
            found = Cluster.connect(kubeconfig, self.target().context).default_namespace
            self._default("namespace", found)
        if not self._settings.told("release"):
            self._default("release", "langsmith")
        return self.target()

    def _find(self, mine: Collection[tuple[str, str]]) -> None:
        """Take the one LangSmith there is; of several the one that is picked.

        Raises:
            Problem: there are several, and nothing may be asked for.
        """
        told = {name: self._settings.values.get(name) for name in ("namespace", "release")}
        with Waiting("looking for LangSmith's release"):
            found, looked = look_for(self.target(), told["namespace"], told["release"])
        if not found:
            return
        if len(found) == 1:
            self._place(found[0], f"{FOUND}, the only LangSmith in {looked}")
            return
        ours = [it for it in found if (it.namespace, it.release) in mine]
        if len(ours) == 1:
            self._place(ours[0], f"{FOUND}, the only one in {looked} that a run from here changed")
            return
        if not self.may_ask:
            raise several(found, looked)
        entries = [
            Entry(it.flags, it.release, (it.namespace, it.chart_version, it.status)) for it in found
        ]
        aside = self._aside("release")
        flags = self._asked(lambda: prompts.ask_choice("release", entries, "", aside))
        self._place(next(it for it in found if it.flags == flags), "prompt")

    def _place(self, found: Found, origin: str) -> None:
        for name, value in (("namespace", found.namespace), ("release", found.release)):
            if not self._settings.told(name):
                self._settings.put(name, value, origin)

    def of_unfinished(self, left: Run, plan: str = "") -> str:
        """What is to become of a run that was left: `resume`, `undo` or `leave`.

        A run that applies a plan is resumed by applying that `plan` alone.

        Raises:
            Declined: the person left.
            Problem: LSA922, it applies another plan, and is to be resumed.
        """
        resumable = left.plan == plan
        if self.confirms and not self._settings.told("unfinished"):
            resume = Entry("resume", "resume", ("go on with it, from what is there",))
            entries = [
                *([resume] if resumable else []),
                Entry("undo", "undo", ("put back what it changed",)),
                Entry("leave", "leave", ("begin a run of its own",)),
            ]
            first = entries[0].value
            self._take(
                "unfinished",
                lambda: prompts.ask_choice("unfinished", entries, first, self._aside("unfinished")),
            )
        how = str(self._settings.get("unfinished"))
        if how == "resume" and not resumable:
            raise Problem(
                "LSA922",
                f"Run {left.id} was left unfinished, and applies plan {left.plan[:12]}",
                on=f"run {left.id}",
                next_step="langsmith-audit apply PLAN (that one) goes on with it, where the rest "
                "is as planned; --unfinished undo puts it back, --unfinished leave begins a run "
                "of its own",
                exit=Exit.USAGE,
            )
        return how

    @property
    def told_of_failure(self) -> bool:
        """Whether a rollback of a failed upgrade was asked for beforehand."""
        return str(self._settings.get("on_failure")) == "rollback"

    def on_failure(self) -> str:
        """What is to be done about a failed upgrade: `stop` or `rollback`; `--yes` is no answer.

        Raises:
            Declined: the person left.
        """
        if self.confirms and not self._settings.told("on_failure"):
            entries = [
                Entry("stop", "stop", ("leave everything as it is, to look at it",)),
                Entry("rollback", "rollback", ("put the revision from before the run back",)),
            ]
            self._take(
                "on_failure",
                lambda: prompts.ask_choice(
                    "on_failure", entries, "stop", prompts.Aside(ABOUT["on_failure"])
                ),
            )
        return str(self._settings.get("on_failure"))

    def complete(self, names: Sequence[str], systems: Systems) -> None:
        """Ask for all of these, or report all of them as missing at once.

        Raises:
            Problem: something is missing and may not be asked for.
        """
        if names and not self.may_ask:
            raise missing(names)
        for name in names:
            self._take(name, self._question(name, systems))
        if names:
            systems.answer(self.target())

    def agree(self, question: str, about: str = "", more: Callable[[], None] | None = None) -> bool:
        """A confirmation; `--yes` gives it. `about` explains it, `more` shows all that it is about.

        Raises:
            Problem: it may not be asked for.
            Declined: the person left.
            Back: the question before is wanted.
        """
        if self._settings.get("yes"):
            return True
        if not self.may_ask:
            raise missing(("yes",))
        aside = prompts.Aside(about or ABOUT["yes"], back=bool(self._asked_for))
        return bool(self._asked(lambda: prompts.ask_yes(question, aside, more)))

    def consent(self, option: str, value: object = True) -> bool:  # noqa: FBT002 - a switch's value
        """A yes that `--yes` does not give: asked for, and kept as the option's `value`.

        Raises:
            Declined: the person left.
        """
        aside = self._aside(option)
        yes = bool(self._asked(lambda: prompts.ask_yes(BY_NAME[option].ask, aside)))
        if yes:
            self._keep(option, value)
        return yes

    @property
    def confirms(self) -> bool:
        """Whether each change is asked for, not told by `--yes`."""
        return self.may_ask and not self._settings.get("yes")

    def _default(self, name: str, value: str) -> None:
        if self.confirms:
            self._take(name, lambda: prompts.ask_text(name, value, self._aside(name)))
        else:
            self._settings.put(name, value, "default")

    def _take(self, name: str, ask: Callable[[], object]) -> None:
        value = self._asked(ask)
        while not value:
            value = self._asked(ask)
        self._keep(name, value)

    def _keep(self, name: str, value: object) -> None:
        self._settings.put(name, value, "prompt")
        self._asked_for.append(name)

    def _asked(self, ask: Callable[[], object]) -> object:
        try:
            return ask()
        except Interrupted as interrupted:
            if interrupted.signum != signal.SIGINT:
                raise
            raise Declined from None
        except (KeyboardInterrupt, EOFError):
            raise Declined from None

    def _question(self, name: str, systems: Systems) -> Callable[[], object]:
        aside = self._aside(name)
        if name == "org" and systems.target.database == "manual":
            return lambda: prompts.ask_text("org", "", aside).replace(",", " ").split()
        if name == "org":
            find = partial(_entries, systems)
            return lambda: list(prompts.ask_several("org", find, lambda: _legend(systems), aside))
        if BY_NAME[name].kind is Kind.SECRET:
            return lambda: prompts.ask_secret(name, aside)
        if BY_NAME[name].kind is Kind.PATHS:
            return lambda: list(filter(None, [prompts.ask_path(name, aside)]))
        return lambda: prompts.ask_text(name, "", aside)


ABOUT = {
    "context": "A context of your kubeconfig: which cluster, and as whom. Nothing else is reached.",
    "namespace": "The namespace in which helm list shows LangSmith's release.",
    "release": "The name under which helm list shows LangSmith.",
    "values": "The file that helm upgrade gets for this release. Two variables are added to it "
    "and no other byte changes; a copy is kept. Of several files name each: -f A -f B.",
    "api_key": "A token (lsv2_pt_…) or service key (lsv2_sk_…) of an organization admin. It only "
    "asks: whether the server has audit logs already, and at the end for the proof. It is kept in "
    "memory alone, and shown, stored and logged nowhere.",
    "org": "An organization that was there before has a stored value, which wins over the "
    "variables. Those that you pick get a stored true, in one transaction; personal ones are left "
    "alone, and organizations that are made later need nothing.",
    "unfinished": "resume goes on from what is there, by the journal; undo puts back what that run "
    "changed; leave begins a new run, and that one stays as it is.",
    "on_failure": "stop leaves everything as it is, to be looked at; rollback puts the release's "
    "revision from before this run back.",
    "yes": "y does exactly what is shown above; it is in the journal before it is done. Anything "
    "else leaves, with nothing more changed.",
}
"""What `?` tells at a question; at others it is the option's help."""


NOT_TO_PICK = {"on": "already on", "wrong shape": "its config is no JSON object"}
"""States of an organization for which there is nothing to do or to be done, with the reason."""


def _entries(systems: Systems, part: str, after: Entry | None) -> list[Entry]:
    found = systems.database.organizations(
        search=part,
        after=(after.name, UUID(after.value)) if after else None,
        limit=PAGE + 1,
    )
    own: UUID | None = None
    with suppress(Problem):  # the key's own organization, where the server tells
        own = systems.served.organization.id if systems.served else None
    entries = []
    for it in found:
        reason = "personal" if it.is_personal else NOT_TO_PICK.get(it.state, "")
        state = (reason or it.state) + (", your key's own" if it.id == own else "")
        entries.append(Entry(str(it.id), it.display_name, (state, str(it.id)), reason))
    return entries


def _legend(systems: Systems) -> Legend:
    counts = systems.organization_counts
    return Legend(
        ("organization", "audit logs", "id"),
        ("off: a stored false · default: nothing is stored",),
        systems.database.order(),
        sum(counts.shared.values()) + counts.personal,
    )


def missing(names: Sequence[str]) -> Problem:
    """The problem of answers that nobody gave, all of them at once."""
    lines = []
    for name in names:
        option = BY_NAME[name]
        flags = {"org": "--org ID, --all or --only-off", "api_key": "--api-key-file FILE"}
        lines.append(f"{option.help}: {flags.get(name, option.flags[-1:] and option.flags[-1])}"
                     f" or {option.variable}")  # fmt: skip
    count = f"{len(lines)} answers are" if len(lines) > 1 else "An answer is"
    return Problem(
        "LSA900",
        f"{count} missing, and nothing may be asked for here",
        on="this invocation",
        next_step="give what is listed above, or run it in a terminal without --no-input",
        exit=Exit.USAGE,
        detail=tuple(lines),
    )


def _read_key_file(settings: Settings) -> None:
    name = settings.get("api_key_file")
    if not name:
        return
    try:
        key = read_file(Path(name), LARGEST_KEY).decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Problem(
            "LSA909",
            f"The file with the API key cannot be read: {reason}",
            on=f"file {name}",
            next_step="name a readable file: --api-key-file FILE",
            exit=Exit.USAGE,
        ) from None
    settings.put("api_key", key, f"file {name}")


FOUND = "found by looking"
"""How the origin of an answer begins that nobody gave."""


def look_for(
    target: Target, namespace: str | None, release: str | None
) -> tuple[tuple[Found, ...], str]:
    """The LangSmith releases that can be seen, and where was looked.

    Nothing where it cannot be looked: what stands in the way is told by the walk that follows.
    """
    from wizard.systems.helm.client import Helm
    from wizard.systems.kubernetes.cluster import Cluster
    from wizard.systems.release.discovery import discover

    cluster = Cluster.connect(target.kubeconfig, target.context, limit=target.connect_limit)

    def helm() -> Helm:
        return Helm.find(
            kubeconfig=target.kubeconfig,
            context=cluster.context or None,
            connect_limit=target.connect_limit,
        )

    try:
        seen = discover(helm, cluster, namespace)
    except Problem:
        return (), ""
    finally:
        cluster.close()
    return tuple(it for it in seen.found if release in (None, it.release)), seen.looked


def several(found: Sequence[Found], looked: str) -> Problem:
    """The problem of several releases, none of which was named."""
    return Problem(
        "LSA144",
        f"There are {len(found)} LangSmith releases, and none of them was named",
        on=looked,
        next_step="name one: type the flags of its line",
        exit=Exit.USAGE,
        detail=tuple(f"{it.flags}  (chart {it.chart_version}, {it.status})" for it in found),
    )
