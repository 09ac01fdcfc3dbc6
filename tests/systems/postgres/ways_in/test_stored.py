"""Stored URLs, organization ids, and the values that the database system gives."""

import pytest
from databases import refused, told

from wizard.problems import Exit
from wizard.settings import organization_id
from wizard.systems.postgres.model import (
    ConfigShape,
    Login,
    OrganizationState,
    PriorState,
    RowChange,
)
from wizard.systems.postgres.ways_in.stored import libpq_options, parse_stored_url

ID = "3f1c2b8e-5a47-4d0c-9c3e-7b1f64a2d905"
OTHER = "8b7d40f2-16e9-4c55-8a0d-52c9e3f7b1a6"


@pytest.mark.parametrize(
    ("text", "user", "password", "host", "port", "dbname"),
    [
        ("u:p@h:6432/db", "u", "p", "h", 6432, "db"),
        ("u:p@h", "u", "p", "h", 5432, "u"),
        ("u:p@ss/w?rd#%@h:5432/db", "u", "p@ss/w?rd#%", "h", 5432, "db"),
        ("u:a:b@h/db", "u", "a:b", "h", 5432, "db"),
        ("u:p%40x@h/db", "u", "p@x", "h", 5432, "db"),
        ("u%41:p%4@h", "uA", "p%4", "h", 5432, "uA"),
        ("u:p@x.y/z@h/db", "u", "p@x.y/z", "h", 5432, "db"),
        ("u:p@[fd00::1]:5433/db", "u", "p", "fd00::1", 5433, "db"),
        ("user@tenant:p@h.postgres.database.azure.com/db", "user@tenant", "p",
         "h.postgres.database.azure.com", 5432, "db"),
        ("postgresql://u:p%40x@h/db", "u", "p@x", "h", 5432, "db"),
        ("postgresql+asyncpg://u:p@h/db", "u", "p", "h", 5432, "db"),
        (" u:p@h/db\n", "u", "p", "h", 5432, "db"),
        ("u:p ä🙂@h/db", "u", "p ä🙂", "h", 5432, "db"),
    ],
)  # fmt: skip
def test_stored_urls_are_taken_as_the_backend_does(
    text: str, user: str, password: str, host: str, port: int, dbname: str
) -> None:
    url = parse_stored_url(text)
    assert (url.user, url.password, url.host, url.port, url.dbname) == (
        user, password, host, port, dbname,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("u:p%40x@h/db", [("u", "p@x"), ("u", "p%40x")]),
        ("u%41:p%4@h", [("uA", "p%4"), ("u%41", "p%4")]),
        ("u:100%@h/db", [("u", "100%")]),
        ("u:p@ss@h/db?x=%40", [("u", "p@ss")]),
        ("postgresql://u:p%40x@h/db", [("u", "p@x")]),
    ],
)
def test_there_are_two_readings_where_only_the_scheme_would_tell(
    text: str, readings: list[tuple[str, str]]
) -> None:
    url = parse_stored_url(text)
    both = [url, *([url.otherwise] if url.otherwise else [])]
    assert [(one.user, one.password) for one in both] == readings
    assert {one.otherwise for one in both[1:]} <= {None}


def test_parameters_may_hold_an_at_sign() -> None:
    url = parse_stored_url("u:p@h:1/db?sslmode=require&application_name=a@b")
    assert url.host == "h"
    assert url.parameters == {"sslmode": "require", "application_name": "a@b"}


@pytest.mark.parametrize("text", ["", "h:5432/db", "u:pw@", "u:pw@h:99999/db", "u:pw@h h/db", "@"])
def test_what_is_no_url_is_refused_without_its_text(text: str) -> None:
    with refused("LSA520") as caught:
        parse_stored_url(text)
    assert "pw" not in told(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["u@h:5432/db", "u:@h/db", "postgres://u@h/db?sslmode=require"])
def test_a_url_without_password_is_explained(text: str) -> None:
    with refused("LSA521") as caught:
        parse_stored_url(text)
    assert "--database direct" in caught.value.next_step


def test_secrets_are_not_in_representations() -> None:
    url = parse_stored_url("u:hidden@h/db?sslpassword=veiled")
    login = Login("h", 1, "u", "hidden", "db", {"sslpassword": "veiled"})
    assert "hidden" not in repr(url) + repr(login) + login.subject
    assert "veiled" not in repr(url) + repr(login) + login.subject


def test_options_of_libpq_and_of_other_drivers() -> None:
    assert libpq_options({"ssl": "true", "options": "-c x=y", "connect_timeout": "0"}) == {
        "sslmode": "require"
    }
    kept = {"sslmode": "verify-full", "sslrootcert": "system", "target_session_attrs": "any"}
    assert libpq_options(kept | {"ssl": "disable", "pool_size": "3"}) == kept


@pytest.mark.parametrize(
    "text",
    [
        ID,
        ID.upper(),
        f" {ID}\n",
        f"https://smith.example.com/o/{ID}/settings/members?tab=1",
        f"smith.example.com/base/o/{ID}",
        f"https://smith.example.com/o/{ID}/projects/p/{OTHER}",
        f"https://smith.example.com/{ID}",
    ],
)
def test_an_id_is_found_in_what_people_paste(text: str) -> None:
    assert str(organization_id(text)) == ID


@pytest.mark.parametrize(
    "text",
    [
        "", "acme", ID[:-1], ID + "0", "{" + ID + "}", f"https://h/{ID}/{OTHER}",
        f"https://h/settings?org={ID}", "https://[bad/x", "x\x1b[31m", "x" * 500,
    ],
)  # fmt: skip
def test_a_malformed_id_is_a_usage_error(text: str) -> None:
    with refused("LSA506") as caught:
        organization_id(text)
    assert caught.value.exit == Exit.USAGE
    assert len(caught.value.what) < 200
    assert caught.value.what.isprintable()


def test_a_refused_url_keeps_its_secrets() -> None:
    with refused("LSA506") as caught:
        organization_id("https://me:hidden@h/x?token=veiled")
    assert "hidden" not in told(caught.value)
    assert "veiled" not in told(caught.value)


def test_a_change_survives_the_journal() -> None:
    before = PriorState(ConfigShape.OBJECT, present=True, value='"true"', rest="ab")
    change = RowChange(organization_id(ID), 'A "b" | c', before, before.turned_on())
    assert RowChange.from_json(change.as_json()) == change
    assert change.after.state is OrganizationState.ON
    assert before.state is OrganizationState.OFF
    with pytest.raises(ValueError, match="shapeless"):
        PriorState.from_json(before.as_json() | {"shape": "shapeless"})
