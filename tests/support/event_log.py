"""An audit log as LangSmith keeps and gives it, and a stand-in that gives it with faults.

`rows` makes rows of the table by the API's own schema (AuditLogMessage), `ocsf` the event that the
API makes of one. Run as a program it serves: `python event_log.py COUNT DAYS DELAY`, and prints
its URL; that is what scripts/bench reads from.
"""

import base64
import json
import random
import sys
import threading
import time
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "lsv2_pt_0123456789abcdef_events"
ORGANIZATION = "3f1c2b8e-5a47-4d0c-9c3e-7b1f64a2d905"
ACTIVITIES = {1: "Create", 2: "Read", 3: "Update", 4: "Delete", 99: "Other"}
OPERATIONS = {
    "create_api_key": (1, "POST", "/api/v1/api-key"),
    "delete_api_key": (4, "DELETE", "/api/v1/api-key/{id}"),
    "create_role": (1, "POST", "/api/v1/orgs/current/roles"),
    "invite_user_to_org": (1, "POST", "/api/v1/orgs/current/members"),
    "update_login_methods": (3, "PATCH", "/api/v1/orgs/current/login-methods"),
    "update_workspace_secrets": (3, "POST", "/api/v1/workspaces/current/secrets"),
    "create_bulk_export": (1, "POST", "/api/v1/bulk-exports"),
    "cancel_bulk_export": (99, "PATCH", "/api/v1/bulk-exports/{id}"),
    "get_audit_logs": (2, "GET", "/api/v1/audit-logs"),
    "delete_tag_key": (4, "DELETE", "/api/v1/workspaces/current/tag-keys/{id}"),
}
Row = dict


def rows(count: int, start: datetime, end: datetime, seed: int = 1) -> list[Row]:
    """Rows at random moments of a range, oldest first; some share their moment."""
    chance = random.Random(seed)
    span = (end - start) // timedelta(microseconds=1)
    moments = sorted(start + timedelta(microseconds=chance.randrange(span)) for _ in range(count))
    for number in range(7, count, 50):
        moments[number] = moments[number - 1]
    people = [uuid.UUID(int=chance.getrandbits(128), version=4) for _ in range(12)]
    return [_row(moment, chance, people) for moment in moments]


def _row(moment: datetime, chance: random.Random, people: list[uuid.UUID]) -> Row:
    name = chance.choice(list(OPERATIONS))
    _, method, path = OPERATIONS[name]
    about = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    succeeded = chance.choice([True, True, True, True, False, None])
    forwarded = chance.choice([None, "203.0.113.9", "203.0.113.9, 10.0.0.7"])
    person = chance.choice(people)
    return {
        "id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "operation_name": name,
        "operation_succeeded": succeeded,
        "request_time": moment,
        "api_key_id": chance.choice([None, str(people[0])]),
        "user_id": str(person),
        "ls_user_id": chance.choice([None, str(person)]),
        "organization_id": ORGANIZATION,
        "workspace_id": chance.choice([None, str(people[1]), str(people[2])]),
        "enrichments": {
            "request_method": method,
            "request_path": path.replace("{id}", about),
            "client_host": "10.20.0.7",
            "client_port": chance.choice([None, 40112]),
            "x_forwarded_for": forwarded,
            "response_status_code": {True: 200, False: 403, None: None}[succeeded],
            "resource_ids": [about] if chance.random() < 0.9 else [],
        },
    }


def ocsf(row: Row) -> dict:
    """The event of a row."""
    activity = OPERATIONS[row["operation_name"]][0]
    more = row["enrichments"]
    hops = [it.strip() for it in (more["x_forwarded_for"] or "").split(",") if it.strip()]
    succeeded = row["operation_succeeded"]
    told = {**row, "request_time": row["request_time"].isoformat().replace("+00:00", "Z")}
    return {
        "class_uid": 6003,
        "class_name": "API Activity",
        "category_uid": 6,
        "category_name": "Application Activity",
        "severity_id": 99,
        "type_uid": 600300 + activity,
        "activity_id": activity,
        "activity_name": ACTIVITIES[activity],
        "status_id": {True: 1, False: 2, None: 0}[succeeded],
        "status": {True: "Success", False: "Failure", None: "Unknown"}[succeeded],
        "time": int(row["request_time"].timestamp()),
        "metadata": {
            "uid": row["id"],
            "product": {"name": "LangSmith", "vendor_name": "LangChain"},
        },
        "api": {"operation": row["operation_name"]},
        "http_request": {
            "http_method": more["request_method"],
            "url": {"path": more["request_path"]},
        },
        "http_response": {"code": more["response_status_code"]},
        "actor": {
            "user": {
                "uid": row["ls_user_id"] or row["user_id"],
                "credential_uid": row["api_key_id"],
            }
        },
        "src_endpoint": {
            "ip": hops[0] if hops else more["client_host"],
            "port": more["client_port"],
            "intermediate_ips": hops[1:] or None,
        },
        "resources": [{"uid": it} for it in more["resource_ids"]],
        "unmapped": {"original_audit_log": told},
    }


def copied(connection: Any, given: list[Row]) -> None:
    """Put rows into the table audit_logs, which is there."""
    names = ", ".join(given[0])
    with connection.cursor().copy(f"COPY audit_logs ({names}) FROM STDIN") as copy:
        for row in given:
            copy.write_row([*list(row.values())[:-1], json.dumps(row["enrichments"])])


class EventLog:
    """The log behind the stand-in: sorted, and more may come to it while it is read."""

    def __init__(self, given: list[Row]) -> None:
        self._lock = threading.Lock()
        self._kept = sorted(
            (it["request_time"], it["id"], it["operation_name"], json.dumps(ocsf(it)))
            for it in given
        )

    def add(self, row: Row) -> None:
        """One more, wherever its moment lies."""
        one = (row["request_time"], row["id"], row["operation_name"], json.dumps(ocsf(row)))
        with self._lock:
            self._kept.insert(bisect_left(self._kept, one), one)

    def page(
        self, start: datetime, end: datetime, limit: int, after: tuple, operations: list[str]
    ) -> tuple[list[tuple], bool]:
        """So many, newest first, before the place that was left at; and whether there are more."""
        with self._lock:
            first = bisect_left(self._kept, (start,))
            last = bisect_left(self._kept, after) if after else bisect_right(
                self._kept, (end, "g")
            )  # fmt: skip
            if not operations:
                kept = self._kept[max(first, last - limit) : last]
                return kept[::-1], last - limit > first
            kept = [it for it in self._kept[first:last] if it[2] in operations]
            return kept[-limit:][::-1], len(kept) > limit


class EventServer:
    """Serves a log on 127.0.0.1, in threads.

    Attributes:
        fault: asked before each answer of the log: None, or what to do instead.
        delay: seconds that an answer takes.
        requests: the queries that came for the log.
        operations: what the server's own list of operations has; None where it has no such list.
        answers: other answers by path: (status, body).
    """

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.fault: Callable[[dict], str | None] = lambda _query: None
        self.delay = 0.0
        self.requests: list[dict] = []
        self.operations: list[str] | None = None
        self.answers: dict[str, tuple[int, object]] = {}
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                stand_in._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, call: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(call.path)
        query = parse_qs(parts.query)
        if call.headers.get("X-API-Key") != KEY:
            self._send(call, 401, '{"detail": "Invalid token"}')
        elif parts.path in self.answers:
            status, body = self.answers[parts.path]
            self._send(call, status, json.dumps(body))
        elif parts.path == "/api/v1/audit-logs":
            self.requests.append(query)
            self._log(call, query)
        elif parts.path == "/api/v1/audit-logs/operations" and self.operations is not None:
            self._send(call, 200, json.dumps({"operations": self.operations}))
        else:
            self._send(call, 404, '{"detail": "Not Found"}')

    def _log(self, call: BaseHTTPRequestHandler, query: dict) -> None:
        fault = self.fault(query)
        if self.delay:
            time.sleep(self.delay)
        if fault == "drop":
            call.close_connection = True
            call.connection.shutdown(2)
        elif fault in ("429", "500", "503"):
            self._send(call, int(fault), '{"detail": "busy"}', ("Retry-After", "0"))
        elif fault == "dead":
            self._send(call, 422, '{"detail": "Invalid cursor"}')
        else:
            body = self._page(query, again=fault == "again")
            if fault == "cut":
                self._send(call, 200, body, cut=True)
            else:
                self._send(call, 200, body)

    def _page(self, query: dict, *, again: bool) -> str:
        limit = int(query.get("limit", ["10"])[0])
        after: tuple = ()
        if "cursor" in query:
            moment, id, _ = base64.b64decode(query["cursor"][0]).decode().split(" ")
            after = (datetime.fromisoformat(moment), id)
        start, end = (datetime.fromisoformat(query[name][0]) for name in ("start_time", "end_time"))
        found, more = self.log.page(start, end, limit, after, query.get("operations", []))
        cursor = "null"
        if again and found:  # the page comes once more, by another cursor
            place = after or (end, "g")
            cursor = _cursor(*place)
        elif more:
            cursor = _cursor(*found[-1][:2])
        return f'{{"items": [{", ".join(it[3] for it in found)}], "cursor": {cursor}}}'

    def _send(
        self,
        call: BaseHTTPRequestHandler,
        status: int,
        body: str,
        *headers: tuple[str, str],
        cut: bool = False,
    ) -> None:
        data = body.encode()
        call.send_response(status)
        call.send_header("Content-Type", "application/json")
        call.send_header("Content-Length", str(len(data)))
        for name, text in headers:
            call.send_header(name, text)
        call.end_headers()
        if cut:
            call.wfile.write(data[: len(data) // 2])
            call.close_connection = True
        else:
            call.wfile.write(data)


def _cursor(moment: datetime, id: str) -> str:
    """A place in the log; no two of them are the same text."""
    text = f"{moment.isoformat()} {id} {random.getrandbits(32)}"
    return f'"{base64.b64encode(text.encode()).decode()}"'


@contextmanager
def serving(given: list[Row]) -> Iterator[EventServer]:
    """A stand-in with these rows for the time of the block."""
    server = EventServer(EventLog(given))
    try:
        yield server
    finally:
        server.close()


def main() -> None:
    """Serve until standard input ends."""
    count, days, delay = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    end = datetime(2026, 11, 1, tzinfo=UTC)
    with serving(rows(count, end - timedelta(days=days), end)) as server:
        server.delay = delay
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
