"""Answers in a file: what is written can be read, and nothing that a file may not say is taken."""

import pytest

from wizard.engine import answer_file
from wizard.problems import Problem
from wizard.settings import Settings, settings_from

ARGUMENTS = {
    "context": "practice",
    "namespace": "langsmith",
    "values": ["a.yaml", "b.yaml"],
    "org": ["6f1e2d3c-0000-4000-8000-000000000001"],
    "one_rollout": True,
    "patience": 90.0,
    "yes": True,
}


def written(tmp_path, arguments=ARGUMENTS):
    path = tmp_path / "answers.yaml"
    environ = {"LANGSMITH_API_KEY": "lsv2_pt_secret"}
    answer_file.save(settings_from(arguments, environ), path)
    return path


def test_what_is_written_is_taken_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path)
    found = Settings()
    names = answer_file.take(found, path)
    assert found.values == {
        **{name: value for name, value in ARGUMENTS.items() if name != "yes"},
        "values": [str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")],
    }
    assert set(found.origins.values()) == {f"file {path}"}
    assert sorted(names) == sorted(found.values)


def test_it_says_what_each_answer_means_and_no_secret_and_no_yes(tmp_path):
    text = written(tmp_path).read_text()
    assert "# kubeconfig context\ncontext: practice\n" in text
    assert "secret" not in text.replace("No secret is in here", "")
    assert "yes:" not in text


def test_what_was_told_otherwise_wins(tmp_path):
    path = written(tmp_path)
    told = settings_from({"namespace": "other", "all": True}, {})
    answer_file.take(told, path)
    assert told.get("namespace") == "other"
    assert told.get("context") == "practice"
    assert not told.told("org")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("api_key: lsv2_pt_1", "'api_key', which is no answer that a file may give"),
        ("no_input: true", "'no_input', which is no answer"),
        ("nonsense: 1", "'nonsense'"),
        ("database: elephant", "none of auto, port-forward"),
        ("patience: soon", "has for patience what is none of its values"),
        ("all: perhaps", "has for all what"),
        ("org: [1, 2]", "has for org what"),
        ("- a", "has no names with answers"),
        ("a: [", "is not YAML"),
        ("\x00", "is not YAML"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_name(tmp_path, text, words):
    path = tmp_path / "answers.yaml"
    path.write_text(text)
    with pytest.raises(Problem) as raised:
        answer_file.take(Settings(), path)
    assert raised.value.id == "LSA923"
    assert words in raised.value.what
    assert "lsv2" not in raised.value.what


def test_a_file_that_is_not_there_is_a_problem(tmp_path):
    with pytest.raises(Problem, match="cannot be read: No such file"):
        answer_file.take(Settings(), tmp_path / "none.yaml")


class TestKept:
    """What a person has answered, for the next run."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(tmp_path / "state"))

    def test_what_was_asked_alone_is_kept_and_offered_at_the_same_place(self):
        settings = settings_from({"patience": 50.0}, {"LANGSMITH_API_KEY": "x"})
        assert not answer_file.keep(settings)
        settings.put("namespace", "langsmith", "found by looking")
        settings.put("org", ["a"], "prompt")
        assert answer_file.keep(settings)
        assert answer_file.offered(settings_from({"namespace": "other"}, {})) is None
        kept = answer_file.offered(Settings())
        assert kept
        assert answer_file.names_in(kept) == ["--org"]
        answer_file.forget()
        assert answer_file.offered(Settings()) is None

    def test_one_that_was_damaged_is_not_offered(self):
        settings = Settings()
        settings.put("org", ["a"], "prompt")
        answer_file.keep(settings)
        path = answer_file.offered(Settings())
        assert path
        path.write_text("org: [")
        assert answer_file.offered(Settings()) is None
