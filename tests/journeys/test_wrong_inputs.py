"""What somebody new types wrong: each is told with what is wrong, where, and what to type next."""

import re

import pytest

ELSEWHERE = "00000000-0000-4000-8000-000000000000"
RUN = ("run", "--yes")

WRONG = [
    (("chekc",), 2, "There is no command chekc", "did you mean check?"),
    (("--namespce", "langsmith"), 2, "run has no option --namespce", "did you mean --namespace?"),
    (("run", "everything"), 2, "run has no argument everything", "run --help"),
    (("check", "--format", "jsn"), 2, "--format cannot be jsn: it is one of", "did you mean json?"),
    (("run", "--skip", "values"), 2, "--skip cannot be values", "did you mean values_file?"),
    (("run", "--upgrade-limit", "10minutes"), 2, "such as 90s, 10m or 1h30m", "run --help"),
    (("run", "--upgrade-limit", "0"), 2, "cannot be 0: it is a time above zero", "run --help"),
    (("check", "--wait", "soon"), 2, "cannot be soon: it is 0, or a time", "check --help"),
    (("plan", "--expires", "3w"), 2, "cannot be 3w: it is a time up to a year", "plan --help"),
    (("events", "--at-a-time", "x"), 2, "cannot be x: it is a whole number", "events --help"),
    (("orgs", "--search"), 2, "--search needs a value after it", "orgs --help"),
    (("show",), 2, "show needs PLAN", "show --help"),
    (("plan", "-n", "Langsmith"), 2, "'Langsmith' cannot be the name of a namespace", "helm list"),
    ((*RUN, "--all", "-n", "lang-smith"), 3, "There is no release", "--release and --namespace"),
    (("check", "--release", "langsmyth"), 3, "There is no release langsmyth", "name it with"),
    (("check", "--context", "prod"), 2, "There is no context prod (contexts there: practice)",
     "kubectl config get-contexts"),
    ((*RUN, "--all", "-f", "valeus.yaml"), 2, "No such file", "check the path"),
    ((*RUN, "--all", "--only-off"), 2, "--all and --only-off are given together", "give one of"),
    ((*RUN, "--org", "Meridian Freight"), 2, "not an organization id: 'Meridian Freight'",
     "--search 'Meridian Freight' may find it"),
    ((*RUN, "--org", "3f1c2b8e…"), 2, "not an organization id", "--search 3f1c2b8e may find it"),
    ((*RUN, "--org", ELSEWHERE), 3, f"No organization has the id {ELSEWHERE}", "orgs"),
    ((*RUN, "--all", "--database-url-file", "no.url"), 2, "No such file", "--database-url-file"),
    ((*RUN, "--all", "--url", "notaurl"), 5, "notaurl cannot be resolved", "check the URL"),
    (("check", "--api-key-file", "no.key"), 2, "No such file", "--api-key-file"),
    (("check", "--only", "valeus"), 2, "there is no such area or check", "perhaps values;"),
    (("check", "--skip-finding", "LSA561"), 2, "it is not ID[:subject]=REASON", "check --help"),
    (("apply", "plan.jsn"), 2, "No such file", "plan -o FILE"),
    (("undo", "20200101"), 2, "There is no such run", "langsmith-audit runs"),
    (("runs", "nonsense"), 2, "There is no such run", "langsmith-audit runs"),
    (("explain", "LSA9112"), 2, "has no finding 'LSA9112'", "langsmith-audit explain lists them"),
    (("events", "--since", "yesterday"), 2, "neither a duration nor a time", "(90m, 1h30m, 7d)"),
    (("events", "--limit", "1000"), 2, "1000 events are not 1 to 100", "--all for every event"),
    (("practice", "--scenario", "crashloop"), 2, "there is no scenario crashloop", "crash-loop"),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "exit", "what", "next"), WRONG, ids=lambda it: str(it)[:60])
def test_it_is_told_what_is_wrong_and_what_to_type_next(cluster, run, typed, exit, what, next):
    before = cluster.values.read_bytes()
    answer = run(*typed, "--no-input") if typed[0] in ("run", "undo") else run(*typed)
    told = answer.stdout + answer.stderr
    assert answer.returncode == exit, told
    assert what in told
    assert next in told
    assert re.search(r"next: |→ ", told)
    usage = len(answer.stderr.splitlines()) <= 3
    assert usage or re.search(r"changed: nothing|[Nn]othing was changed|Exit code", told), told
    assert "Traceback" not in told
    assert cluster.values.read_bytes() == before


@pytest.mark.parametrize(
    ("key", "what"),
    [("lsv2_pt_wrong", "LSA811"), ("a key\nof two lines", "LSA802"), ("ключ", "LSA")],
)
def test_a_wrong_key_is_told_and_never_shown(run, key, what):
    answer = run("check", "--only", "api", env={"LANGSMITH_API_KEY": key})
    told = answer.stdout + answer.stderr
    assert answer.returncode in (2, 3, 5)
    assert what in told
    assert key not in told
