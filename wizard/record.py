"""`dataclass`, `field` and `replace`: the standard library's, for who reads or type-checks.

The library's need a millisecond for a class, and bring `inspect` with them. A health check imports
more than a hundred such classes and uses a third: they were a fifth of its time. Here comparing,
hashing, showing and refusing are written once for all classes, and what makes an object is compiled
for those of which there are many. `dataclasses.fields`, `asdict` and the like take these classes as
their own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:

    def dataclass(cls: type | None = None, **options: Any) -> Any:
        """The library's decorator, with `frozen`, `eq` and `repr`."""
        if cls is None:
            return lambda cls: dataclass(cls, **options)
        own = _own_fields(cls)
        told = {it.name: it for base in cls.__mro__[:0:-1] for it in base.__dict__.get(FIELDS, ())}
        fields = tuple((told | {it.name: it for it in own}).values())
        setattr(cls, FIELDS, fields)
        cls.__dataclass_fields__ = _Fields()
        cls.__match_args__ = tuple(it.name for it in fields if it.init)
        cls.__compared__ = tuple(it.name for it in fields if it.compare)
        cls.__shown__ = tuple(it.name for it in fields if it.repr)
        _complete(cls, options)
        return cls

    def field(**options: Any) -> Any:
        """The library's: `default`, `default_factory`, `init`, `repr` and `compare`."""
        return _Field(**options)

    def replace(old: Any, **changes: Any) -> Any:
        """The same object with other values; those that `init` leaves out begin anew."""
        if not hasattr(type(old), FIELDS):
            return import_module("dataclasses").replace(old, **changes)
        kept = {it.name: getattr(old, it.name) for it in getattr(old, FIELDS) if it.init}
        return type(old)(**(kept | changes))


FIELDS = "__record_fields__"
FEW = 10
"""Objects of a class that are made without a compiled `__init__`."""
_NOTHING: Any = object()


class _Field:
    """What is told of one field."""

    def __init__(
        self,
        *,
        default: Any = _NOTHING,
        default_factory: Any = _NOTHING,
        init: bool = True,
        repr: bool = True,
        compare: bool = True,
    ) -> None:
        self.name = ""
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare


def _own_fields(cls: type) -> list[_Field]:
    """The fields that the class itself has, whose defaults are its attributes from here on."""
    found = []
    for name, hint in _hints(cls).items():
        if str(hint).startswith(("ClassVar", "typing.ClassVar")):
            continue
        it = cls.__dict__.get(name, _NOTHING)
        if type(it).__name__ == "Field":
            raise TypeError(f"{cls.__name__}.{name}: `field` is imported from wizard.record")
        if not isinstance(it, _Field):
            it = _Field(default=it)
        elif it.default is _NOTHING:
            delattr(cls, name)
        else:
            setattr(cls, name, it.default)
        it.name = name
        found.append(it)
    return found


def _hints(cls: type) -> dict[str, Any]:
    """The annotations of the class itself; the library for that would bring `inspect`."""
    found: dict[str, Any] = cls.__dict__.get("__annotations__", {})  # noqa: RUF063
    return found


def _complete(cls: type, options: dict[str, Any]) -> None:
    """Give the class the methods that the options want and that it has not of its own."""
    methods: dict[str, object] = {"__init__": _first}
    if options.get("repr", True):
        methods["__repr__"] = _repr
    if options.get("eq", True):
        methods["__eq__"] = _eq
        methods["__hash__"] = _hash if options.get("frozen") else None
    if options.get("frozen"):
        methods |= {"__setattr__": _refuse, "__delattr__": _refuse}
    cls.__made__ = 0  # type: ignore[attr-defined]
    for name, method in methods.items():
        if name not in cls.__dict__ or (name == "__hash__" and cls.__dict__[name] is None):
            setattr(cls, name, method)


def _first(self: Any, *args: Any, **named: Any) -> None:
    """The `__init__` of a class that has few objects yet: what compiles one costs a hundred."""
    cls: Any
    for cls in type(self).__mro__:
        if cls.__dict__.get("__init__") is _first:  # else another thread has just made it
            cls.__made__ += 1
            if cls.__made__ <= FEW and _filled(self, getattr(cls, FIELDS), args, named):
                return
            cls.__init__ = _initializer(cls)
            break
    type(self).__init__(self, *args, **named)


def _filled(
    self: Any, fields: tuple[_Field, ...], args: tuple[Any, ...], named: dict[str, Any]
) -> bool:
    """Give an object its values; False where the arguments are not those of its class."""
    taken = [it for it in fields if it.init]
    told = dict(zip((it.name for it in taken), args, strict=False))
    if len(args) > len(taken) or told.keys() & named.keys():
        return False
    told |= named
    values = {}
    for it in fields:
        if it.init and it.name in told:
            values[it.name] = told.pop(it.name)
        elif it.default_factory is not _NOTHING:
            values[it.name] = it.default_factory()
        elif it.default is not _NOTHING:
            values[it.name] = it.default
        else:
            return False
    if told:
        return False
    self.__dict__.update(values)
    if hasattr(self, "__post_init__"):
        self.__post_init__()
    return True


def _initializer(cls: type) -> Any:
    fields: tuple[_Field, ...] = getattr(cls, FIELDS)
    known = {"_nothing": _NOTHING, "_set": object.__setattr__}
    known |= {f"_default_{it.name}": it.default for it in fields}
    known |= {f"_made_{it.name}": it.default_factory for it in fields}
    lines = [f"def __init__(self{''.join(map(_parameter, fields))}):", " pass"]
    for it in fields:
        value = it.name if it.init else f"_default_{it.name}"
        if it.default_factory is not _NOTHING:
            made = f"_made_{it.name}()"
            value = f"{made} if {it.name} is _nothing else {it.name}" if it.init else made
        lines.append(f" _set(self, {it.name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    exec("\n".join(lines), known)  # noqa: S102 - of names alone, as the library does
    init: Any = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _parameter(it: _Field) -> str:
    if not it.init:
        return ""
    if it.default_factory is not _NOTHING:
        return f", {it.name}=_nothing"
    return f", {it.name}" if it.default is _NOTHING else f", {it.name}=_default_{it.name}"


def _repr(self: Any) -> str:
    told = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__shown__)
    return f"{type(self).__qualname__}({told})"


def _eq(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return _values(self) == _values(other)


def _values(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, name) for name in self.__compared__)


def _hash(self: Any) -> int:
    return hash(_values(self))


def _refuse(_self: object, name: str, *_value: object) -> None:
    raise import_module("dataclasses").FrozenInstanceError(f"cannot change field {name!r}")


def _as_library(it: _Field) -> Any:
    """The library's field of the same meaning."""
    told = {"default": it.default, "default_factory": it.default_factory}
    library = import_module("dataclasses")
    return library.field(
        **{name: value for name, value in told.items() if value is not _NOTHING},
        init=it.init,
        repr=it.repr,
        compare=it.compare,
    )


class _Fields:
    """The library's fields of a class, made when somebody asks for them."""

    def __get__(self, _object: object, cls: Any) -> Any:
        library = import_module("dataclasses")
        fields: tuple[_Field, ...] = getattr(cls, FIELDS)
        hints = {
            name: hint for base in reversed(cls.__mro__) for name, hint in _hints(base).items()
        }
        body = {it.name: _as_library(it) for it in fields}
        body["__annotations__"] = {it.name: hints[it.name] for it in fields}
        body["__module__"] = cls.__module__
        like = library.dataclass(type(cls.__name__, (), body), repr=False, eq=False)
        cls.__dataclass_fields__ = like.__dataclass_fields__
        return cls.__dataclass_fields__


__all__ = ("dataclass", "field", "replace")
