"""Which LangSmith is asked: what is told, the release's own, never one that the key is not for."""

from __future__ import annotations

import dataclasses

import pytest
from databases import refused

from wizard.settings import settings_from, target_from
from wizard.systems.langsmith.asking import agreed

TARGET = target_from(settings_from({}, {}))
CLOUD = "https://api.smith.langchain.com"


@pytest.mark.parametrize(
    ("url", "endpoint", "own", "asked"),
    [
        (None, "", "https://ls.corp", "https://ls.corp"),
        (None, "", None, None),
        ("https://other.corp", "", "https://ls.corp", "https://other.corp"),
        ("https://ls.corp/api/v1", "LANGSMITH_ENDPOINT", "https://ls.corp/x",
         "https://ls.corp/api/v1"),
        ("https://ls.corp", "LANGSMITH_ENDPOINT", None, "https://ls.corp"),
    ],
)  # fmt: skip
def test_the_address_that_is_asked(
    url: str | None, endpoint: str, own: str | None, asked: str | None
) -> None:
    target = dataclasses.replace(TARGET, url=url, endpoint=endpoint)
    assert agreed(target, own) == asked


@pytest.mark.parametrize(
    ("url", "endpoint", "own", "words"),
    [
        (CLOUD, "LANGSMITH_ENDPOINT", "https://ls.corp", "is LangChain's own cloud"),
        (CLOUD, "LANGSMITH_ENDPOINT", None, "is LangChain's own cloud"),
        ("eu.api.smith.langchain.com", "", None, "is LangChain's own cloud"),
        ("https://staging.corp", "LANGSMITH_ENDPOINT", "https://ls.corp", "own address (ls.corp)"),
    ],
)
def test_a_key_that_is_for_another_is_not_sent(
    url: str, endpoint: str, own: str | None, words: str
) -> None:
    target = dataclasses.replace(TARGET, url=url, endpoint=endpoint)
    with refused("LSA826") as caught:
        agreed(target, own)
    assert words in caught.value.what
    assert (endpoint or "LangSmith's URL") in caught.value.on
    assert "--url" in caught.value.next_step
