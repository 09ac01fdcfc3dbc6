"""Drift between deployed values and the files: keys only, ours left out."""

import pytest

from wizard.steps.drift import drift

OURS = [
    {"name": "AUDIT_LOGS_ENABLED", "value": "true"},
    {"name": "DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS", "value": "true"},
]


def env(*entries: dict) -> dict:
    return {"backend": {"deployment": {"extraEnv": list(entries)}}}


@pytest.mark.parametrize(
    ("deployed", "files"),
    [
        ({}, {}),
        ({"config": {"a": 1}}, {"config": {"a": 1}}),
        ({}, env(*OURS)),
        (env({"name": "X", "value": "1"}), env({"name": "X", "value": "1"}, *OURS)),
        ({"config": {"a": None}}, {}),
        ({"config": {}}, {}),
    ],
)
def test_nothing_else_changes(deployed: dict, files: dict) -> None:
    assert drift(deployed, files).keys == ()


@pytest.mark.parametrize(
    ("deployed", "files", "keys"),
    [
        ({"config": {"apiKeySalt": "s3cret"}}, {}, ["dropped: config.apiKeySalt"]),
        ({"a": 1}, {"a": 2}, ["changed: a"]),
        ({"a": 1}, {"a": True}, ["changed: a"]),
        ({}, {"a": {"b": []}}, ["added: a.b"]),
        (env({"name": "X", "value": "1"}), env(*OURS), ["changed: backend.deployment.extraEnv"]),
    ],
)
def test_every_other_key_is_named_and_refused(deployed: dict, files: dict, keys: list) -> None:
    found = drift(deployed, files)
    assert list(found.keys) == keys
    (lacking,) = found.consents(accepted=False)
    assert (lacking.option, lacking.refusal.id) == ("accept_drift", "LSA410")
    assert "s3cret" not in repr(lacking.refusal.detail)
    assert found.consents(accepted=True) == ()
