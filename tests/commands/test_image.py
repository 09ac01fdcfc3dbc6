"""The Dockerfile that `image` prints."""

import re

import pytest

from wizard import __version__
from wizard.cli import main


def test_the_image_runs_the_check_as_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("image",)) == 0
    told = capsys.readouterr().out
    assert f"langsmith-audit=={__version__}\n" in told
    lines = [it for it in re.sub(r"\\\n", "", told).splitlines() if it and not it.startswith("#")]
    assert {it.split()[0] for it in lines} == {
        "FROM",
        "ARG",
        "RUN",
        "COPY",
        "ENV",
        "USER",
        "ENTRYPOINT",
        "CMD",
    }
    assert lines[-3:] == ["USER 65532:65532", 'ENTRYPOINT ["langsmith-audit"]', 'CMD ["check"]']
    assert "ENV PATH=/opt/langsmith-audit/bin:$PATH" in told
    assert "COPY . " not in told


def test_an_image_of_a_checkout_takes_the_context(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("image", "--from-checkout")) == 0
    told = capsys.readouterr().out
    assert told.index("COPY . /src") < told.index("pip install --no-cache-dir /src")
