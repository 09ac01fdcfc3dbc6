"""A dataclass that is built late is the standard library's in all that its users see."""

import copy
import dataclasses
import gc
import importlib
import inspect
import pickle
import pkgutil
from dataclasses import FrozenInstanceError, asdict, fields, is_dataclass
from threading import Barrier, Thread

import pytest

import wizard
from wizard.record import FEW, FIELDS, _initializer, dataclass, field, replace


@dataclass(frozen=True)
class Place:
    """A base."""

    name: str
    secret: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True)
class Room(Place):
    """Made from it, with a default of its own."""

    doors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "doors", tuple(sorted(self.doors)))


def test_objects_are_made_compared_changed_shown_and_kept() -> None:
    room = Room("hall", "x", doors=("b", "a"))
    assert room == Room("hall", "y", ("a", "b"))
    assert hash(room) == hash(Room("hall", "", ("a", "b")))
    assert repr(room) == "Room(name='hall', doors=('a', 'b'))"
    assert replace(room, name="yard") == Room("yard", doors=("a", "b"))
    assert asdict(room) == {"name": "hall", "secret": "x", "doors": ("a", "b")}
    assert copy.deepcopy(room) == pickle.loads(pickle.dumps(room)) == room
    with pytest.raises(FrozenInstanceError):
        room.name = "yard"  # type: ignore[misc]


def test_fields_are_known_before_any_object_is() -> None:
    @dataclass
    class Fresh:
        one: int
        two: list[str] = field(default_factory=list)

    assert is_dataclass(Fresh)
    assert [it.name for it in fields(Fresh)] == ["one", "two"]
    assert Fresh(1).two is not Fresh(1).two


def test_many_are_made_as_the_first_ones() -> None:
    rooms = [Room("hall", doors=(str(number), "a")) for number in range(3 * FEW)]
    assert [it.doors for it in rooms] == [(*sorted((str(it), "a")),) for it in range(3 * FEW)]


def test_wrong_arguments_are_refused_as_ever() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'name'"):
        Place()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'size'"):
        Place("hall", size=1)  # type: ignore[call-arg]


def test_threads_that_meet_at_the_first_object_all_get_a_whole_one() -> None:
    for _ in range(50):

        @dataclass(frozen=True)
        class Met:
            one: int
            two: str = "two"

        barrier, made = Barrier(4), list[Met]()

        def make(barrier: Barrier = barrier, made: list[Met] = made, met: type[Met] = Met) -> None:
            barrier.wait()
            made.append(met(1))

        threads = [Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [(it.one, it.two) for it in made] == [(1, "two")] * 4


def records() -> list[type]:
    """All of the product's."""
    for each in pkgutil.walk_packages(wizard.__path__, "wizard."):
        if not each.name.startswith(("wizard.practice", "wizard.__main__")):
            importlib.import_module(each.name)
    return [it for it in gc.get_objects() if isinstance(it, type) and FIELDS in it.__dict__]


def test_each_of_ours_is_made_as_the_library_would_make_it() -> None:
    found = [it for it in records() if it.__module__.startswith("wizard.")]
    assert len(found) > 100
    for ours in found:
        body = {it.name: dataclasses.field(**_told(it)) for it in fields(ours)}
        hints = {it.name: "Any" for it in fields(ours)}
        theirs = dataclasses.dataclass(type(ours.__name__, (), body | {"__annotations__": hints}))
        if "__init__" in vars(ours):
            made = inspect.signature(_initializer(ours)).parameters.values()
            wanted = inspect.signature(theirs.__init__).parameters.values()
            assert [(it.name, it.kind) for it in made] == [(it.name, it.kind) for it in wanted]
        assert ours.__match_args__ == theirs.__match_args__


def _told(it: dataclasses.Field) -> dict[str, object]:
    names = ("default", "default_factory", "init", "repr", "compare")
    told = {name: getattr(it, name) for name in names}
    return {name: value for name, value in told.items() if value is not dataclasses.MISSING}


def test_the_library_s_own_field_is_refused() -> None:
    with pytest.raises(TypeError, match=r"from wizard\.record"):

        @dataclass
        class Mixed:
            one: list[str] = dataclasses.field(default_factory=list)
