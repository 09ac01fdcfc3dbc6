"""What shells complete by, and the man page."""

import shutil
import subprocess

import pytest

from wizard.arguments import MAN, SHELLS
from wizard.cli import COMMANDS, main

COMPLETE = """
source {file}
COMP_WORDS=(langsmith-audit {words}) COMP_CWORD={at}
_shtab_langsmith_audit
echo "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize("shell", [*SHELLS, MAN])
def test_every_shell_is_told_every_command(shell, capsys):
    assert main(["completion", shell]) == 0
    told = capsys.readouterr().out
    named = [name.upper() if shell == MAN else name for name in COMMANDS]
    assert [name for name in named if name not in told] == []
    if shell != MAN:
        assert "kubectl config get-contexts -o name" in told


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "at", "found"),
    [
        ("exp", 1, "explain"),
        ("check --form", 2, "--format"),
        ("plan --database d", 3, "direct"),
        ("run --one", 2, "--one-rollout"),
        ("show --format ht", 3, "html"),
    ],
)
def test_bash_completes(words, at, found, tmp_path, capsys):
    main(["completion", "bash"])
    file = tmp_path / "completion"
    file.write_text(capsys.readouterr().out)
    script = COMPLETE.format(file=file, words=words, at=at)
    told = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.split() == [found], told.stderr
