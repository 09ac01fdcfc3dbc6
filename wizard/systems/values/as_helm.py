"""What helm reads: the data of scalars and keys, merges, and the values of several files.

Helm reads YAML with sigs.k8s.io/yaml over go-yaml v2, and makes JSON of it. So every key is a text
and every number a float64; dates and sexagesimals are texts; of two keys the later one wins, and a
merge (`<<`) counts where it stands. Source: resolve.go and decode.go of go-yaml v2.4, and yaml.go
of sigs.k8s.io/yaml.
"""

from __future__ import annotations

import base64
import math
import re
import struct
from datetime import date
from decimal import Decimal
from typing import Any

CORE = "tag:yaml.org,2002:"

_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INT = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)"
    r"|(?P<dec>0|[1-9][0-9]*))|0b(?P<signed>[-+][01]+)"
)
_BASES = {"hex": 16, "bin": 2, "oct": 8, "dec": 10, "signed": 2}
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_POINT = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_CLOCK = r"(?:[01]?[0-9]|2[0-3]):[0-5]?[0-9]:[0-5]?[0-9](?:\.[0-9]+)?"
_TIME = re.compile(
    rf"([0-9]{{4}})-([0-9]{{1,2}})-([0-9]{{1,2}})"
    rf"(?:[Tt]{_CLOCK}(?:Z|[-+](?:[01][0-9]|2[0-3]):[0-5][0-9])| {_CLOCK})?"
)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_RESOLVED = {"str": str, "bool": bool, "int": int, "float": float, "null": type(None)}
_WHOLE_JSON = 1e21
"""Go writes whole numbers below it without an exponent."""


class Unresolved(Exception):
    """Helm cannot read it; `what` says what the file has there."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def scalar_data(text: str, tag: str | None, *, plain: bool) -> Any:
    """What helm reads of a scalar, before it is JSON.

    Raises:
        Unresolved: its tag and its text do not fit together.
    """
    if tag is None:
        return _plain(text) if plain else text
    name = tag.removeprefix(CORE)
    if name == tag or name not in {*_RESOLVED, "binary", "timestamp"}:
        return text
    if name == "binary":
        return _binary(text)
    if name == "str" or (name == "timestamp" and _is_time(text)):
        return text
    data = _plain(text)
    if name == "float" and type(data) is int and -(2**63) <= data < 2**63:
        return float(data)
    if name == "timestamp" or type(data) is not _RESOLVED[name]:
        raise Unresolved(f"a text with the tag !!{name} that is none")
    return data


def _is_time(text: str) -> bool:
    found = _TIME.fullmatch(text)
    try:
        return found is not None and bool(date(*map(int, found.groups())))
    except ValueError:
        return False


def _plain(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    if text[0] == "." and not _POINT.fullmatch(text):
        return text
    bare = text.replace("_", "")
    whole = _INT.fullmatch(bare)
    if whole:
        group = str(whole.lastgroup)
        number = int(whole[group], _BASES[group])
        number = -number if whole["sign"] == "-" else number
        if -(2**63) <= number < (2**63 if whole["sign"] else 2**64):
            return number
    if _FLOAT.fullmatch(bare):
        real = float(bare)
        return real if math.isfinite(real) else text
    return text


def _binary(text: str) -> str:
    bare = re.sub(r"[\r\n]", "", text)
    if not _BASE64.fullmatch(bare):
        raise Unresolved("a text with the tag !!binary that is none")
    raw = base64.b64decode(bare)
    return re.sub("[\udc80-\udcff]", "\ufffd", raw.decode(errors="surrogateescape"))


def json_data(data: Any) -> Any:
    """The same as JSON has it: a number is a float64, and a whole one has no point.

    Raises:
        Unresolved: JSON has no such number.
    """
    if type(data) not in (int, float):
        return data
    number = float(data)
    if not math.isfinite(number):
        raise Unresolved("a number that JSON lacks (.inf or .nan)")
    if number.is_integer() and abs(number) < _WHOLE_JSON:
        return int(Decimal(repr(number)))
    return number


def key_text(data: Any) -> str:
    """The key that helm makes of the data of one: JSON's keys are texts.

    Raises:
        Unresolved: a key that helm does not take.
    """
    if isinstance(data, str):
        return data
    if isinstance(data, bool):
        return "true" if data else "false"
    if isinstance(data, float):
        return _float32(data)
    if isinstance(data, int) and data < 2**63:
        return str(data)
    if data is None:
        raise Unresolved("null as a key")
    raise Unresolved("a mapping, a list or a very large number as a key")


def _float32(number: float) -> str:
    """The shortest text that is the number in 32 bits: Go's `FormatFloat(number, 'g', -1, 32)`."""
    try:
        narrow = struct.pack("f", number)
    except OverflowError:
        narrow = struct.pack("f", math.copysign(math.inf, number))
    real = struct.unpack("f", narrow)[0]
    if not math.isfinite(real):
        return ".nan" if math.isnan(real) else ".inf" if real > 0 else "-.inf"
    texts = (f"{real:.{digits}e}" for digits in range(9))
    text = next(it for it in texts if struct.pack("f", float(it)) == narrow)
    return text if not -4 <= int(text.partition("e")[2]) < 6 else f"{Decimal(text):f}"


def merge_values(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Both merged, neither changed: maps deep, lists and the rest replaced, nulls kept."""
    whole = dict(base)
    for key, value in over.items():
        old = whole.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = merge_values(old, value)  # noqa: PLW2901
        whole[key] = value
    return whole


def without_nulls(values: dict[str, Any]) -> dict[str, Any]:
    """The same without the keys whose value is null, as the chart gets it."""
    whole = {}
    for key, value in values.items():
        if value is not None:
            whole[key] = without_nulls(value) if isinstance(value, dict) else value
    return whole
