"""`dataclass` as the standard library has it, but built when its first object is made.

To build one takes half a millisecond. A health check imports more than a hundred and uses a third
of them: built at their import they were a fifth of its time.
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
        unbuilt = _Unbuilt(cls, options)
        cls.__dataclass_fields__ = unbuilt
        cls.__new__ = unbuilt.first
        return cls


_BUILDING = RLock()


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
        with _BUILDING:  # other threads wait here, and find it done
            if self._cls.__dict__["__dataclass_fields__"] is self:
                import_module("dataclasses").dataclass(self._cls, **self._options)
                self._cls.__new__ = _plain


__all__ = ("dataclass",)
