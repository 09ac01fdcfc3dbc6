"""What the audit-logs API answers: the way to it, the key, the organization, the events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from wizard.checks.check import Check, Sight
from wizard.checks.table import OWN_READS
from wizard.checks.target import ending
from wizard.checks.words import counted, span
from wizard.problems import Problem
from wizard.records.event import at, event_of, moment_of
from wizard.records.findings import Finding, State, passed
from wizard.steps.procedure import the_step
from wizard.steps.step import Access

if TYPE_CHECKING:
    from wizard.systems.langsmith.asking import Served, Sounded

API = the_step("audit_api")
SLOW, LIMIT = 2.0, 10.0
"""Seconds of one page of ten events from which it is slow, and from which it is warned of."""
SHOWN = 5
EXPORTS = "see whether langsmith-audit events --state runs: its own words say what stopped it"
OTHER_SHAPE, NO_RIGHT, OFF = "LSA893", "LSA821", "LSA822"
TOLD_BEFORE = (NO_RIGHT, OFF)
"""Refusals of the log whose reasons other checks have told."""
REFUSED = frozenset({"LSA811", "LSA812", "LSA401", "LSA820"})
"""Answers by which a key may not list keys."""
T = TypeVar("T")


def answers(sight: Sight) -> Iterator[Finding]:
    """The log answers; how its events are is another check's."""
    for found in sight.observed(API).findings:
        if found.id == OTHER_SHAPE:
            message = "The audit-logs API answers"
            yield passed("LSA891", found.subject, message, *found.evidence[:2])
        elif found.id in TOLD_BEFORE:
            message = f"Not looked at: because of {found.id}"
            because = found.id
            yield Finding("LSA908", State.NOT_RUN, found.subject, message, because=because)
        else:
            yield found


def reached(sight: Sight) -> Finding:
    """The API's address leads to LangSmith."""
    served = _served(sight)
    message = "The address leads to LangSmith's API, which answers with JSON"
    return passed("LSA860", served.url, message)


def certificate(sight: Sight) -> Finding:
    """The server's certificate does not end soon."""
    served = _served(sight)
    if urlsplit(served.url).scheme != "https":
        return Finding("LSA861", State.SKIP, served.url, "There is no TLS on this way")
    ends = served.api.certificate_ends if served.api else None
    if ends is None:
        message = "When the certificate ends is not known"
        return Finding("LSA861", State.UNKNOWN, served.url, message)
    return ending("LSA861", served.url, "The certificate", ends, "renew the certificate")


def known(sight: Sight) -> Finding:
    """LangSmith knows the key."""
    return passed("LSA862", _of(_served(sight)), "LangSmith knows the API key")


def key_lasts(sight: Sight) -> Finding:
    """The key does not end soon."""
    served, key = _served(sight), _sounded(sight).key
    if isinstance(key, Problem):
        message = f"When the key ends is not told: it may not list keys ({key.what})"
        state = State.SKIP if key.id in REFUSED or key.id == "LSA813" else State.UNKNOWN
        return Finding("LSA863", state, _of(served), message)
    if key is None:
        message = "LangSmith does not tell which of the listed keys this one is"
        return Finding("LSA863", State.SKIP, _of(served), message)
    if key.ends is None:
        return passed("LSA863", _of(served), "The API key has no end")
    step = "make a new key as an organization admin, and set LANGSMITH_API_KEY"
    return ending("LSA863", _of(served), "The API key", key.ends, step)


def permission(sight: Sight) -> Finding:
    """The key may read audit logs."""
    served = _served(sight)
    may = served.organization.may_manage
    if may:
        return passed("LSA864", _of(served), "The key has organization:manage")
    if may is None:
        message = "Which permissions the key has, the server does not tell"
        return Finding("LSA864", State.SKIP, _of(served), message)
    return Finding(
        NO_RIGHT,
        State.FAIL,
        _of(served),
        "The key lacks organization:manage, without which it reads no audit logs",
        (),
        "use the key of an Organization Admin or Organization Operator",
    )


def barred(sight: Sight) -> Finding:
    """Nothing bars the organization or this caller."""
    served = _served(sight)
    bars = served.organization.bars
    wrong = [it for it in ("disabled", "member_disabled") if bars.get(it) is True]
    evidence = tuple(f"{name}: {value}" for name, value in bars.items())
    if wrong:
        what = (
            "The organization is disabled" if "disabled" in wrong else "The key's user is disabled"
        )
        step = "have an organization admin enable it again"
        return Finding("LSA865", State.FAIL, _of(served), what, evidence, step)
    if bars.get("ip_allowlist_enabled") is True:
        message = "Only listed addresses may ask (IP allow list); this one may"
        return Finding("LSA865", State.INFO, _of(served), message, evidence)
    if not bars:
        message = "Whether anything bars the organization, the server does not tell"
        return Finding("LSA865", State.SKIP, _of(served), message)
    return passed("LSA865", _of(served), "Nothing bars the organization or the key", *evidence)


def word(sight: Sight) -> Finding:
    """The server's own word is that audit logs are on."""
    served = _served(sight)
    on = served.organization.can_use_audit_logs
    says = f"can_use_audit_logs: {served.organization.said}"
    if on:
        return passed("LSA866", _of(served), "The server itself says that audit logs are on", says)
    state = State.FAIL if on is False else State.SKIP if served.page else State.UNKNOWN
    message = "The server itself says that audit logs are off" if on is False else (
        "The server does not say whether audit logs are on")  # fmt: skip
    step = "turn them on in the database, then restart the backend: langsmith-audit run"
    id = OFF if state is State.FAIL else "LSA866"
    return Finding(id, state, _of(served), message, (says,), step)


def licence(sight: Sight) -> Finding:
    """The licence does not end soon."""
    about, url = _got(_sounded(sight).about), _served(sight).url
    if about.license_ends is None:
        message = "When the licence ends, the server does not tell"
        return Finding("LSA867", State.SKIP, url, message)
    step = "ask LangChain for a new licence key (config.langsmithLicenseKey)"
    return ending("LSA867", url, "LangSmith's licence", about.license_ends, step)


def version(sight: Sight) -> Finding:
    """The server is of the release's version."""
    about, url = _got(_sounded(sight).about), _served(sight).url
    app = sight.systems.release.app_version
    if not about.version:
        return Finding("LSA868", State.SKIP, url, "The server does not tell its version")
    if not app or about.version == app:
        return passed("LSA868", url, f"The server is version {about.version}")
    message = f"The server says it is version {about.version}; the release's is {app}"
    evidence = ("through the frontend this is platform-backend's word, not the backend's",)
    return Finding("LSA868", State.INFO, url, message, evidence)


def pages(sight: Sight) -> Finding:
    """Limit and cursor are honoured: two pages have no gap, and no event twice."""
    served, sounded = _served(sight), _sounded(sight)
    first, second, whole = _page(served), _maybe(sounded.second), _maybe(sounded.whole)
    subject = _of(served)
    if len(first.given) > 10:
        message = f"Asked for 10 events, it gave {len(first.given)}"
        return Finding("LSA869", State.FAIL, subject, message, (), PAGING)
    if second is None or whole is None:
        message = "There is one page alone, so that nothing of paging can be seen"
        return Finding("LSA869", State.SKIP, subject, message)
    uids = [[event_of(it).uid for it in page.items] for page in (first, second, whole)]
    both = {*uids[0], *uids[1]}
    twice = {*uids[0]} & {*uids[1]}
    if twice:
        message = f"{counted(len(twice), 'event')} of the first page came again on the second"
        return Finding("LSA869", State.FAIL, subject, message, tuple(sorted(twice)[:SHOWN]), PAGING)
    if not uids[0] or uids[0][0] not in uids[2]:
        message = "New events came in between, so that the pages cannot be held against each other"
        return Finding("LSA869", State.SKIP, subject, message)
    missed = [it for it in uids[2][uids[2].index(uids[0][0]) :] if it not in both]
    if missed:
        message = f"{counted(len(missed), 'event')} of one long page were on neither short one"
        return Finding("LSA869", State.FAIL, subject, message, tuple(missed[:SHOWN]), PAGING)
    message = f"Two pages have {counted(len(both), 'event')} without a gap, none of them twice"
    return passed("LSA869", subject, message)


def documented(sight: Sight) -> Finding:
    """Each event is as LangSmith documents it."""
    served = _served(sight)
    page = _page(served)
    if not page.given:
        return Finding("LSA870", State.SKIP, _of(served), "There is no event to look at")
    problems = page.problems
    if problems:
        return Finding(
            OTHER_SHAPE,
            State.FAIL,
            _of(served),
            "The events are not in the documented shape (OCSF 1.7.0 API Activity)",
            problems[:SHOWN],
            "compare with the API reference of your version",
        )
    message = f"The last {counted(len(page.given), 'event')} are as LangSmith documents them"
    return passed("LSA870", _of(served), message)


def strict(sight: Sight) -> Finding:
    """Each event is OCSF 1.7.0 to the letter."""
    from wizard.systems.langsmith.ocsf import strictly

    served = _served(sight)
    page = _page(served)
    if not page.items:
        return Finding("LSA871", State.SKIP, _of(served), "There is no event to look at")
    why = Counter(line for it in page.items for line in strictly(it))
    if not why:
        return passed("LSA871", _of(served), "The last events are OCSF 1.7.0 to the letter")
    lines = tuple(
        f"{line} ({number} of {len(page.items)})" for line, number in why.most_common(SHOWN)
    )
    message = "The events are not OCSF 1.7.0 to the letter, which no LangSmith's are"
    step = "a SIEM that is strict takes langsmith-audit events --ocsf strict"
    return Finding("LSA871", State.INFO, _of(served), message, lines, step)


def unit(sight: Sight) -> Finding:
    """The unit of `time`."""
    from wizard.systems.langsmith.ocsf import in_seconds

    served = _served(sight)
    found = {in_seconds(it) for it in _page(served).items}
    if not found:
        return Finding("LSA872", State.SKIP, _of(served), "There is no event to look at")
    if found == {False}:
        return passed("LSA872", _of(served), "The events' time is in milliseconds, as OCSF has it")
    message = "The events' time is in seconds; OCSF has milliseconds"
    if len(found) > 1:
        message = "Of some events time is in seconds, of others in milliseconds"
    step = "multiply by 1000 on the way into a SIEM; langsmith-audit events does"
    shown = State.INFO if len(found) == 1 else State.WARN
    return Finding("LSA872", shown, _of(served), message, (), step)


def newest(sight: Sight) -> Finding:
    """How old the newest event is; own reads left out."""
    served = _served(sight)
    found = [
        (moment_of(it), str(at(it, "api", "operation")))
        for it in _page(served).items
        if at(it, "api", "operation") not in OWN_READS
    ]
    if not found:
        message = "Nothing was recorded in the last 30 days"
        step = "do something that is recorded in LangSmith (make an API key), and check again"
        return Finding("LSA873", State.INFO, _of(served), message, (), step)
    when, what = max(found)
    ago = span((sight.now - when).total_seconds())
    return passed("LSA873", _of(served), f"The newest event is {ago} old: {what}")


def latency(sight: Sight) -> Finding:
    """The log answers in good time."""
    served = _served(sight)
    _page(served)
    message = f"A page of ten events took {served.took:.1f} s"
    if served.took < SLOW:
        return passed("LSA874", served.url, message)
    state = State.WARN if served.took >= LIMIT else State.INFO
    step = "see whether an index finds the newest entries (LSA705), and the backend's load"
    return Finding("LSA874", state, served.url, message, (), step)


def same(sight: Sight) -> Finding:
    """The API's last events are the table's last entries."""
    served = _served(sight)
    target = sight.systems.target
    if target.database == "manual" or "audit_table" in target.skip:
        words = "--skip audit_table" if "audit_table" in target.skip else "--database manual"
        message = f"Not asked: with {words} no table is read"
        return Finding("LSA875", State.SKIP, _of(served), message)
    state, items = sight.systems.audit_state, _page(served).items
    if state.unread:
        raise state.unread
    if state.entries is None:
        message = "The table may not be read, so that it cannot be held against the API"
        return Finding("LSA875", State.UNKNOWN, _of(served), message)
    rows = {entry.uid: entry.at for entry in state.entries.last}
    uids = [event_of(it).uid for it in items]
    if not rows and not uids:
        message = "The API has no event, and the table no entry"
        return Finding("LSA875", State.SKIP, _of(served), message)
    oldest = min(rows.values(), default=None)
    apart = [
        event_of(it).uid for it in items
        if event_of(it).uid not in rows and (oldest is None or moment_of(it) > oldest)
    ]  # fmt: skip
    times = [rows[uid] for uid in uids if uid in rows]
    between = [] if len(times) < 2 else [
        uid for uid, when in rows.items() if min(times) < when < max(times) and uid not in uids
    ]  # fmt: skip
    falls = all(one >= other for one, other in pairwise(times))
    missed = between if falls else []  # in another order a page is no span
    if not apart and not missed:
        message = f"The API's last {counted(len(times), 'event')} are the table's last entries"
        return passed("LSA875", _of(served), message)
    lines = [f"only in the API: {uid}" for uid in apart] + [
        f"only in the table: {it}" for it in missed
    ]
    message = (
        f"{counted(len(lines), 'event')} of the last are only in the API, or only in the table"
    )
    step = "see whether URL and database are of one LangSmith: langsmith-audit events --source both"
    return Finding("LSA875", State.FAIL, _of(served), message, tuple(lines[:SHOWN]), step)


PAGING = "compare with the API reference of your version: exports by page lose or repeat events"


def _served(sight: Sight) -> Served:
    """What the API said of the organization.

    Raises:
        Problem: it did not; or there is no key to ask with.
    """
    served = sight.systems.served
    assert served  # noqa: S101 - without a key the first check has said so, and all need it
    return served


def _sounded(sight: Sight) -> Sounded:
    return sight.systems.sounded


def _page(served: Served) -> Any:
    """The first page.

    Raises:
        Problem: the log was refused.
    """
    if served.refused:
        raise served.refused
    return served.page


def _got(found: T | Problem) -> T:
    if isinstance(found, Problem):
        raise found
    return found


def _maybe(found: Any) -> Any:
    return _got(found) if found is not None else None


def _of(served: Served) -> str:
    return f"organization {served.organization.display_name} ({served.organization.id})"


def _url(path: str) -> tuple[Access, ...]:
    return (Access("url", "GET", path),)


def exported(sight: Sight) -> Finding:
    """The export of the log keeps up."""
    if not sight.besides.export:
        return Finding("LSA876", State.SKIP, "the export", "Not asked for: no --events-state")
    from wizard.records.checkpoint import reached as came_to

    state, within = sight.besides.export
    try:
        through = came_to(state)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", "") or "it is no state of events"
        message = f"How far the export has come is not known: {why}"
        return Finding("LSA876", State.UNKNOWN, f"file {state}", message, (), EXPORTS)
    sight.measures["export_timestamp_seconds"] = through.timestamp()
    age = (sight.now - through).total_seconds()
    message = f"The export has come to {through:%Y-%m-%d %H:%M:%SZ}, {span(age)} ago"
    if age <= within.total_seconds():
        return passed("LSA876", f"file {state}", message)
    message += f": more than {span(within.total_seconds())}"
    return Finding("LSA876", State.FAIL, f"file {state}", message, (), EXPORTS)


KEY = ("LSA859",)
LOG = ("LSA859", "LSA891")
NAME = API.name


def has_key(sight: Sight) -> Finding:
    """There is a key to ask with."""
    if sight.systems.target.api_key:
        return passed("LSA859", "the audit-logs API", "There is an API key to ask with")
    return Finding(
        "LSA892",
        State.UNKNOWN,
        "the audit-logs API",
        "Not asked: there is no API key",
        (),
        "set LANGSMITH_API_KEY or give --api-key-file; or --skip audit_api",
    )


CHECKS = (
    Check("LSA859", "there is an API key", has_key, (), (), NAME),
    Check("LSA860", "the address leads to LangSmith", reached, API.access, KEY, NAME),
    Check("LSA861", "the certificate does not end soon", certificate, (), KEY, NAME),
    Check("LSA862", "LangSmith knows the key", known, (), KEY, NAME),
    Check(
        "LSA863",
        "the key does not end soon",
        key_lasts,
        (*_url("/api/v1/api-key/current"), *_url("/api/v1/orgs/current/service-keys")),
        KEY,
        NAME,
    ),
    Check("LSA864", "the key may read audit logs", permission, (), KEY, NAME),
    Check("LSA865", "nothing bars the organization", barred, (), KEY, NAME),
    Check("LSA866", "the server says that they are on", word, (), KEY, NAME),
    Check("LSA867", "the licence does not end soon", licence, _url("/api/v1/info"), KEY, NAME),
    Check("LSA868", "the server is of the release's version", version, (), KEY, NAME),
    Check("LSA891", "the log answers with OCSF events", answers, (), KEY, NAME),
    Check("LSA869", "limit and cursor are honoured", pages, (), LOG, NAME),
    Check("LSA870", "each event is as documented", documented, (), LOG, NAME),
    Check("LSA871", "each event is strict OCSF 1.7.0", strict, (), LOG, NAME),
    Check("LSA872", "the unit of time", unit, (), LOG, NAME),
    Check("LSA873", "the age of the newest event", newest, (), LOG, NAME),
    Check("LSA874", "the log answers in good time", latency, (), LOG, NAME),
    Check("LSA875", "API and table have the same last events", same, (), LOG, NAME),
    Check("LSA876", "the export of the log keeps up", exported, besides="export"),
)
