"""`dataclass` as the standard library has it, but built when its first object is made.

To build one takes a millisecond. A health check imports more than a hundred and uses a third of
them: built at their import they were a fifth of its time. What the library writes and compiles for
each class and can be written once (comparing, hashing, showing) is here.
"""

from __future__ import annotations

from importlib import import_module
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type | None = None, **options: Any) -> Any:
        """The standard library's decorator, deferred; not where it makes a new class (slots)."""
        if cls is None:
            return lambda cls: dataclass(cls, **options)
        if options.get("slots"):
            return import_module("dataclasses").dataclass(cls, **options)
        _give(cls, "__repr__", _repr)
        if _give(cls, "__eq__", _eq):
            _give(cls, "__hash__", _hash if options.get("frozen") else None)
        unbuilt = _Unbuilt(cls, options)
        cls.__dataclass_fields__ = unbuilt
        cls.__new__ = unbuilt.first
        return cls


_BUILDING = RLock()


def _give(cls: type, name: str, method: object) -> bool:
    """Give the class a method that it has not of its own; whether it had none."""
    if name in cls.__dict__:
        return False
    setattr(cls, name, method)
    return True


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


def _plain(cls: type, *_args: object, **_named: object) -> object:
    return object.__new__(cls)


class _Unbuilt:
    """Stands for the fields of a class until somebody asks for them, or makes an object."""

    def __init__(self, cls: type, options: dict[str, Any]) -> None:
        self._cls = cls
        self._options = options

    def __get__(self, _object: object, _owner: type) -> Any:
        self._build()
        return self._cls.__dict__["__dataclass_fields__"]

    def first(self, cls: type, *_args: object, **_named: object) -> object:
        """An object of the class, or of one made from it; its __init__ is there from here on."""
        self._build()
        return object.__new__(cls)

    def _build(self) -> None:
        cls: Any = self._cls
        with _BUILDING:  # other threads wait here, and find it done
            if cls.__dict__["__dataclass_fields__"] is self:
                library = import_module("dataclasses")
                library.dataclass(cls, **self._options, repr=False, eq=False)
                found = library.fields(cls)
                cls.__compared__ = tuple(it.name for it in found if it.compare)
                cls.__shown__ = tuple(it.name for it in found if it.repr)
                cls.__new__ = _plain


__all__ = ("dataclass",)
