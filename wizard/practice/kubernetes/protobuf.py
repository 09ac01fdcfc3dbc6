"""Protobuf request bodies: the few kinds that Go clients send in that form.

Kubernetes wraps a message in the magic `k8s\\0` and a `runtime.Unknown` (generated.proto of
k8s.io/apimachinery and k8s.io/api). Answers are JSON, which every client accepts.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from wizard.practice.kubernetes.errors import ApiError

Json = dict[str, Any]

MAGIC = b"k8s\x00"
CONTENT_TYPE = "application/vnd.kubernetes.protobuf"

_SCHEMAS = {
    name: {int(one.split(":")[0]): one.split(":", 2)[1:] for one in fields.split()}
    for name, fields in (
        line.split(" ", 1)
        for line in """
time 1:seconds:int
owner 1:kind:string 3:name:string 4:uid:string 5:apiVersion:string 6:controller:bool \
7:blockOwnerDeletion:bool
meta 1:name:string 2:generateName:string 3:namespace:string 5:uid:string 6:resourceVersion:string \
7:generation:int 8:creationTimestamp:time 9:deletionTimestamp:time \
10:deletionGracePeriodSeconds:int 11:labels:map:string 12:annotations:map:string \
13:ownerReferences:list:owner 14:finalizers:list:string
attributes 1:namespace:string 2:verb:string 3:group:string 4:version:string 5:resource:string \
6:subresource:string 7:name:string
nonresource 1:path:string 2:verb:string
preconditions 1:uid:string 2:resourceVersion:string
access 1:resourceAttributes:attributes 2:nonResourceAttributes:nonresource
rules 1:namespace:string
finalizers 1:finalizers:list:string
phase 1:phase:string
lease 1:holderIdentity:string 2:leaseDurationSeconds:int 5:leaseTransitions:int
Secret 1:metadata:meta 2:data:map:bytes 3:type:string 4:stringData:map:string 5:immutable:bool
ConfigMap 1:metadata:meta 2:data:map:string 3:binaryData:map:bytes 4:immutable:bool
Namespace 1:metadata:meta 2:spec:finalizers 3:status:phase
SelfSubjectAccessReview 1:metadata:meta 2:spec:access
SelfSubjectRulesReview 1:metadata:meta 2:spec:rules
SelfSubjectReview 1:metadata:meta
Lease 1:metadata:meta 2:spec:lease
Eviction 1:metadata:meta 2:deleteOptions:DeleteOptions
DeleteOptions 1:gracePeriodSeconds:int 2:preconditions:preconditions 3:orphanDependents:bool \
4:propagationPolicy:string 5:dryRun:list:string
""".strip().splitlines()
    )
}
"""Of each message the fields: number, JSON name and type."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers with their raw values."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == _VARINT:
            number, at = _varint(data, at)
            yield tag >> 3, number
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ApiError(400, f"protobuf: wire type {wire} cannot be read")
        yield tag >> 3, data[at : at + size]
        at += size


def _plain(value: int | bytes, type_name: str) -> Any:
    if type_name == "bool":
        return bool(value)
    if isinstance(value, int):
        return value
    if type_name == "string":
        return value.decode()
    if type_name == "bytes":
        return base64.b64encode(value).decode()
    if type_name == "time":
        seconds = int(dict(_fields(value)).get(1, 0))
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _message(value, _SCHEMAS[type_name])


def _message(data: bytes, schema: dict[int, list[str]]) -> Json:
    found: Json = {}
    for number, value in _fields(data):
        if number not in schema:
            continue
        name, type_name = schema[number]
        shape, _, inner = type_name.partition(":")
        if shape == "map" and isinstance(value, bytes):
            entry = dict(_fields(value))
            key, one = _plain(entry.get(1, b""), "string"), _plain(entry.get(2, b""), inner)
            found.setdefault(name, {})[key] = one
        elif shape == "list":
            found.setdefault(name, []).append(_plain(value, inner))
        else:
            found[name] = _plain(value, type_name)
    meta = found.get("metadata")
    if isinstance(meta, dict):
        found["metadata"] = {key: one for key, one in meta.items() if one not in ("", 0)}
        if found["metadata"].get("creationTimestamp", "").startswith(("1970", "0001")):
            del found["metadata"]["creationTimestamp"]
    return found


def decode(body: bytes) -> Json:
    """The object in a protobuf request body."""
    if not body.startswith(MAGIC):
        raise ApiError(400, "the body is not in the Kubernetes protobuf form")
    try:
        unknown = dict(_fields(body[len(MAGIC) :]))
        type_meta = dict(_fields(bytes(unknown.get(1, b"") or b"")))
        api_version = bytes(type_meta.get(1, b"")).decode()
        kind = bytes(type_meta.get(2, b"")).decode()
        if kind not in _SCHEMAS:
            raise ApiError(415, f"protobuf bodies of kind {kind} are not supported; send JSON")
        obj = _message(bytes(unknown.get(2, b"") or b""), _SCHEMAS[kind])
    except (IndexError, UnicodeDecodeError, TypeError) as problem:
        raise ApiError(400, "the protobuf body is cut short or malformed") from problem
    return {"apiVersion": api_version, "kind": kind, **obj}
