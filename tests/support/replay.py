"""Replay recorded cases of HTTP requests on an API server, as they were recorded on a real one.

A case is a JSON file: {"case", "about", "needs", "timing", "steps": [{"request": …, "answer": …}]}.
`timing` names steps whose answer may differ between two runs of one server (states passed through).
The requests are performed in a namespace of the case's own (`rec-<case>`). In requests, {ns},
{case} and {image} are filled in, {x300} is 300 times x, and {{2.metadata.uid}} a value of the raw
answer of step 2 (0-based). Of a request:

    method, path, query (dict), type (Content-Type), accept, headers, body, text (a raw body)
    auth      "bad" or "none": with a wrong bearer token, or without credentials
    until     {path: value}: ask again until all are so ("code": the HTTP status); `timeout` seconds
    pick      keep only these paths of the answer ([] for each item of a list); a Status stays whole
    rows      of a list: keep only these paths of each item, and sort
    watch     seconds: read the answer as a stream of events; `during`: requests made meanwhile;
              `events`: end after so many
    upgrade   a WebSocket handshake; what comes over channels 1 (out), 2 (err), 3 (end) is kept
    distinct  of a stream, leave out an event that repeats the one before
    settle    wait afterwards until the workload's controller has seen the object
    size      send a body of so many bytes;  sleep: seconds to wait before
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import threading
import time
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from api_answers import dig, normal

from wizard.practice.kubernetes import PracticeKubernetes

AGENT = "rec/1.0"
POLL = 0.1
UNTIL = 20.0
SILENCE = 3.0
"""Seconds without an event after which a watch is over; here pods are ready within one."""
Json = dict[str, Any]


class Server:
    """Where the practice API answers, and with which token."""

    def __init__(self, kube: PracticeKubernetes) -> None:
        address = urlsplit(kube.url)
        self.host, self.port, self.token = address.hostname, address.port, kube.token
        self.tls = ssl.create_default_context(cadata=kube.certificate)

    def connect(self, timeout: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.host, self.port, context=self.tls, timeout=timeout)

    def headers(self, auth: str) -> dict[str, str]:
        given = {"User-Agent": AGENT, "Accept": "application/json"}
        if auth == "bad":
            given["Authorization"] = "Bearer no-such-token"
        elif not auth:
            given["Authorization"] = f"Bearer {self.token}"
        return given


class Run:
    """One case on one cluster."""

    def __init__(self, cluster: Server, case: Json, image: str) -> None:
        self.cluster, self.case, self.image = cluster, case, image
        self.namespace = f"rec-{case['case']}"
        self.raw: list = []

    def filled(self, value):
        if isinstance(value, dict):
            return {self.filled(key): self.filled(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.filled(one) for one in value]
        if not isinstance(value, str) or "{" not in value:
            return value
        for name, text in (("ns", self.namespace), ("case", self.case["case"])):
            value = value.replace("{" + name + "}", text)
        value = value.replace("{image}", self.image)
        value = re.sub(r"\{x(\d+)\}", lambda match: "x" * int(match.group(1)), value)

        def answer(match: re.Match) -> str:
            step, _, path = match.group(1).partition(".")
            return str(dig(self.raw[int(step)]["body"], path))

        return re.sub(r"\{\{(\d+\.[^}]*)\}\}", answer, value)

    def perform(self, request: dict) -> dict:
        """The raw answer: code, headers, body."""
        request = {
            key: one if key == "during" else self.filled(one) for key, one in request.items()
        }
        if request.get("sleep"):
            time.sleep(request["sleep"])
        if "until" not in request:
            answer = self.once(request)
            if request.get("settle") and answer["code"] in (200, 201):
                self.settle(request, answer)
            return answer
        limit = time.monotonic() + request.get("timeout", UNTIL)
        while True:
            answer = self.once(request)
            so = {
                path: answer["code"] if path == "code" else dig(answer["body"], path)
                for path in request["until"]
            }
            if so == request["until"]:
                return answer
            if time.monotonic() > limit:
                answer["late"] = so
                return answer
            time.sleep(POLL)

    def settle(self, request: dict, answer: dict) -> None:
        """Wait until the controller has seen the object and writes no more."""
        path = request["path"].removesuffix("/scale").removesuffix("/status")
        if request["method"] == "POST":
            path += "/" + answer["body"]["metadata"]["name"]
        before = ""
        for _ in range(25):
            time.sleep(POLL * 2)
            body = self.once({"path": path})["body"]
            seen, version = (
                dig(body, "status.observedGeneration"),
                dig(body, "metadata.resourceVersion"),
            )
            if seen == dig(body, "metadata.generation") and version == before:
                return
            before = version

    def once(self, request: dict) -> dict:
        method = request.get("method", "GET")
        url = quote(request["path"], safe="/:{}%,=")
        if request.get("query"):
            url += "?" + urlencode(request["query"], doseq=True)
        auth = request.get("auth", "")
        headers = self.cluster.headers(auth)
        body = None
        if "text" in request:
            body = request["text"].encode()
        elif "size" in request:
            filler = json.dumps({**request["body"], "data": {"a": "x" * request["size"]}})
            body = filler.encode()
        elif "body" in request:
            body = json.dumps(request["body"]).encode()
        if body is not None:
            headers["Content-Type"] = request.get("type", "application/json")
        if "accept" in request:
            headers["Accept"] = request["accept"]
        headers.update(request.get("headers", {}))
        if request.get("upgrade"):
            headers["Accept"] = request.get("accept", "*/*")
            return self.upgrade(url, headers, request)
        if request.get("watch"):
            return self.watch(url, headers, request)
        connection = self.cluster.connect(60)
        try:
            connection.request(method, url, body=body, headers=headers)
            response = connection.getresponse()
            return self.answer(response, response.read())
        except (ConnectionError, http.client.HTTPException) as problem:
            return {"code": 0, "headers": {}, "body": type(problem).__name__}
        finally:
            connection.close()

    @staticmethod
    def answer(response: http.client.HTTPResponse, data: bytes) -> dict:
        kept = {}
        for name in ("Content-Type", "Warning", "Retry-After", "Allow", "Location"):
            found = response.headers.get_all(name)
            if found:
                kept[name] = found[0] if len(found) == 1 else found
        kind = response.headers.get("Content-Type", "")
        if "json" in kind:
            try:
                body = json.loads(data)
            except ValueError:
                body = data.decode(errors="replace")
        elif "protobuf" in kind:
            body = f"{data[:4]!r} and more"
        else:
            body = data.decode(errors="replace")
            if body.startswith("{"):
                with contextlib.suppress(ValueError):
                    body = json.loads(body)
        return {"code": response.status, "headers": kept, "body": body}

    def watch(self, url: str, headers: dict, request: dict) -> dict:
        events: list = []
        connection = self.cluster.connect(request["watch"] + 5)
        connection.request("GET", url, headers=headers)
        response = connection.getresponse()
        if response.status != 200:
            found = self.answer(response, response.read())
            connection.close()
            return found
        ended = threading.Event()
        most = request.get("events", 10**6)

        def read() -> None:
            try:
                while len(events) < most:
                    line = response.readline()
                    if not line:
                        events.append({"type": "(end of stream)"}) if request.get("end") else None
                        break
                    events.append(json.loads(line))
            except (OSError, ValueError, http.client.HTTPException):
                pass
            ended.set()

        threading.Thread(target=read, daemon=True).start()
        for one in request.get("during", []):
            time.sleep(0.3)
            self.perform(one)
        limit, seen = time.monotonic() + request["watch"], -1
        while len(events) != seen and time.monotonic() < limit:
            seen = len(events)
            ended.wait(SILENCE)
        kept = {"Content-Type": response.headers.get("Content-Type", "")}
        try:
            if connection.sock:
                connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        return {"code": 200, "headers": kept, "body": list(events), "stream": True}

    def upgrade(self, url: str, headers: dict, request: dict) -> dict:
        plain = socket.create_connection((self.cluster.host, self.cluster.port), timeout=15)
        sock = self.cluster.tls.wrap_socket(plain, server_hostname=self.cluster.host)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {url} HTTP/1.1", f"Host: {self.cluster.host}:{self.cluster.port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if request["upgrade"] == "websocket":
            lines += [
                "Upgrade: websocket",
                "Connection: Upgrade",
                f"Sec-WebSocket-Key: {key}",
                "Sec-WebSocket-Version: 13",
                f"Sec-WebSocket-Protocol: {request.get('protocol', 'v5.channel.k8s.io')}",
            ]
        sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        response = http.client.HTTPResponse(sock)
        try:
            response.begin()
            if response.status != 101:
                return self.answer(response, response.read())
            kept = {"Sec-WebSocket-Protocol": response.headers.get("Sec-WebSocket-Protocol", "")}
            channels = self.frames(response.fp, sock)
            return {"code": 101, "headers": kept, "body": channels}
        except (OSError, http.client.HTTPException) as problem:
            return {"code": 0, "headers": {}, "body": type(problem).__name__}
        finally:
            sock.close()

    @staticmethod
    def frames(stream, sock) -> dict:
        channels: dict[str, bytes] = {}
        sock.settimeout(8)
        try:
            while True:
                head = stream.read(2)
                if len(head) < 2:
                    break
                code, length = head[0] & 15, head[1] & 127
                if length == 126:
                    length = int.from_bytes(stream.read(2), "big")
                elif length == 127:
                    length = int.from_bytes(stream.read(8), "big")
                data = stream.read(length)
                if code == 8:
                    channels["close"] = str(int.from_bytes(data[:2], "big")).encode()
                    break
                if code in (0, 1, 2) and data:
                    name = str(data[0])
                    channels[name] = channels.get(name, b"") + data[1:]
        except OSError:
            channels["timeout"] = b"nothing more came"
        told = {name: data.decode(errors="replace") for name, data in channels.items()}
        if told.get("3", "").startswith("{"):
            told["3"] = json.loads(told["3"])
        return told

    def run(self) -> dict:
        """The case with its answers, normalized."""
        needs = self.case.get("needs", [])
        if "no-namespace" not in needs:
            self.prepare("pods" in needs)
        try:
            for step in self.case["steps"]:
                self.raw.append(self.perform(step["request"]))
        finally:
            for request in self.case.get("cleanup", []):
                self.perform(request)
            if "no-namespace" not in needs:
                self.once({"method": "DELETE", "path": f"/api/v1/namespaces/{self.namespace}"})
        return normal(self.case, self.raw, self.image)

    def prepare(self, pods: bool) -> None:
        labels = {"rec": "yes", **self.case.get("labels", {})}
        body = {"metadata": {"name": self.namespace, "labels": labels}}
        request = {"method": "POST", "path": "/api/v1/namespaces", "body": body}
        for _ in range(150):
            answer = self.once(request)
            if answer["code"] in (201, 403):
                break
            state = self.once({"path": f"/api/v1/namespaces/{self.namespace}"})
            if state["code"] == 200 and dig(state["body"], "status.phase") == "Active":
                self.once({"method": "DELETE", "path": f"/api/v1/namespaces/{self.namespace}"})
            time.sleep(POLL)
        if pods:
            path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/default"
            for _ in range(50):
                if self.once({"path": path})["code"] == 200:
                    return
                time.sleep(POLL)
