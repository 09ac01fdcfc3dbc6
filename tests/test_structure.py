"""The house: imports run one way, every finding has its entry, every prompt its flag."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import DOCS, PARTS, renewed

from wizard.options import OPTIONS, STEP_NAMES, Kind
from wizard.problems import catalogue
from wizard.steps.procedure import STEPS

WIZARD = Path(__file__).parent.parent / "wizard"
FILES = sorted(WIZARD.rglob("*.py"))

WALKING = {"engine", "checks", "formats", "console", "steps", "systems", "records"}
MAY_IMPORT = {
    "commands": {"planning", "events", *WALKING},
    "events": {"events", "systems", "records"},
    "planning": {"planning", *WALKING},
    "engine": WALKING,
    "checks": {"checks", "steps", "systems", "records"},
    "steps": {"steps", "systems", "records"},
    "systems": {"systems"},
    "formats": {"formats", "console", "records"},
    "console": {"console", "records"},
    "records": {"records"},
}
"""The folders that each folder may import, besides the shared modules at the top."""

SHARED = {
    "settings": {"problems", "options", "record", "safe"},
    "options": {"record"},
    "arguments": {"options", "formats"},
    "problems": {"article", "resources", "aim", "safe"},
    "aim": {"record"},
    "article": set[str](),
    "resources": set[str](),
    "record": set[str](),
    "files": set[str](),
    "safe": set[str](),
    "terminal": set[str](),
    "usage": {"safe"},
}
"""The shared modules at the top, and what each of them may import."""

LOWEST = {"calls", "redact"}
BELOW = {"release", "helm", "kubernetes", "reach", *LOWEST}
SYSTEMS = {
    "access": {"workload", "postgres", "langsmith", "values", *BELOW},
    "workload": BELOW,
    "postgres": BELOW,
    "langsmith": BELOW,
    "values": LOWEST,
    "release": {"helm", "kubernetes", *LOWEST},
    "helm": {"values", *LOWEST},
    "kubernetes": {"reach", *LOWEST},
    "reach": set[str](),
    "calls": {"redact"},
    "redact": set[str](),
}
"""The other systems that each system may import."""


def module(path: Path) -> str:
    parts = ("wizard", *path.relative_to(WIZARD).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


MODULES = {module(path) for path in FILES}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (parts & MODULES) or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] == "wizard"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(WIZARD)))
def test_imports_run_one_way(path: Path) -> None:
    folder = path.relative_to(WIZARD).parts[0].removesuffix(".py")
    folders = {name.split(".")[1] for name in imported(path) if name.count(".")}
    below = {name for name in folders if (WIZARD / name).is_dir()}
    if folder in SHARED:
        assert folders <= SHARED[folder]
    elif path.parent != WIZARD and folder != "practice":
        assert below <= MAY_IMPORT[folder]
        assert folders - below <= SHARED.keys()
    if folder != "practice":
        assert "practice" not in below


@pytest.mark.parametrize(
    "path", sorted((WIZARD / "systems").rglob("*.py")), ids=lambda path: str(path.name)
)
def test_a_system_knows_only_those_below_it(path: Path) -> None:
    names = [name.split(".") for name in imported(path)]
    others = {name[2] for name in names if name[1:2] == ["systems"] and len(name) > 2}
    part = path.relative_to(WIZARD / "systems").parts[0].removesuffix(".py")
    assert others <= {part, *SYSTEMS.get(part, ())}


def test_what_a_step_is_made_of_knows_no_step() -> None:
    for path in sorted((WIZARD / "steps").rglob("*.py")):
        if path.parent.name != "steps":
            steps = {name for name in imported(path) if re.match(r"wizard\.steps\.step\d", name)}
            assert not steps | ({"wizard.steps.procedure"} & imported(path)), path


ACTS = {"rich", "psycopg", "questionary", "prompt_toolkit", "requests", "asyncio"} | {
    f"wizard.{name}"
    for name in (
        *("steps.upgrade.run_helm", "steps.upgrade.proposal", "steps.organizations.back"),
        *("systems.helm.process", "systems.postgres.change", "systems.postgres.libpq"),
    )
}
"""What a health check is quicker without."""


def test_a_check_imports_what_reads_alone() -> None:
    code = (
        f"import sys, wizard.cli, wizard.commands.check; print(sorted({ACTS!r} & {{*sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_each_step_carries_its_documented_number() -> None:
    for number, step in enumerate(STEPS, 1):
        assert type(step).__module__ == f"wizard.steps.step{number}_{step.name}"


OTHER_MEANINGS = {
    "options.py": {*STEP_NAMES},  # what --skip takes; an option and a group of options
    "records/entries.py": {"chart_version"},  # a fact in a journal
    "cli.py": {"organizations"},  # a group of options
    "commands/events.py": {"chart_version"},  # an option
    "planning/approval.py": {"chart_version"},  # an option
    "planning/compare.py": {"chart_version"},  # a member of a plan
    "systems/postgres/tables.py": {"organizations"},  # a table
}
"""Where a step's name stands for something else, or for what a person types."""


def test_no_step_is_named_outside_of_the_steps() -> None:
    for path in FILES:
        place = path.relative_to(WIZARD).as_posix()
        if not place.startswith(("steps/", "checks/", "practice/")):
            nodes = ast.walk(ast.parse(path.read_text()))
            named = {it.value for it in nodes if isinstance(it, ast.Constant)}
            assert named & {*STEP_NAMES} == OTHER_MEANINGS.get(place, set()), place
            steps = {it for it in imported(path) if re.match(r"wizard\.steps\.step\d", it)}
            assert not steps or place == "commands/orgs.py", place  # it lists what one is about


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {module(path): imported(path) for path in FILES}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join((*way, name))
        if name not in done:
            for other in graph.get(name, ()):
                if other in graph and other != name:
                    visit(other, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


TESTS = WIZARD.parent / "tests"
COVERED = {
    "journeys/test_run.py": """
        article resources cli commands/run commands/plan engine/run engine/propose
        checks/areas checks/check records/report
        engine/change engine/consents planning/make formats/check formats/text formats/json
        records/changes records/findings steps/procedure steps/step steps/preconditions
        steps/server_default steps/step1_chart_version steps/step2_values_file
        steps/step3_helm_upgrade steps/step4_organizations steps/step5_backend_restart
        steps/step6_audit_table steps/step7_audit_api steps/organizations/rows systems/access""",
    "commands/test_check.py": "console/waiting formats/health",
    "checks/test_target.py": "systems/kubernetes/ending",
    "checks/test_table.py": "checks/words systems/postgres/audit_state",
    "commands/test_values.py": "systems/helm/values_file",
    "events/test_source.py": "events/patience",
    "events/test_table.py": "events/compare formats/events/compared",
    "journeys/test_apply.py": "commands/apply",
    "journeys/test_apply_stale.py": "planning/differences",
    "journeys/test_undo.py": """
        commands/undo engine/undo steps/upgrade/back steps/organizations/back
        systems/postgres/put_back systems/postgres/row_changes""",
    "journeys/test_failures.py": "engine/hold",
    "journeys/test_terminal.py": """
        console/entries console/progress console/prompts safe
        engine/answers""",
    "journeys/test_terminal_stop.py": "console/interrupts",
    "engine/test_several.py": "formats/several",
    "formats/test_pictures.py": "records/activity engine/activity",
    "engine/test_prove.py": "systems/langsmith/tag_keys",
    "engine/test_rights.py": """
        commands/rbac systems/kubernetes/rbac systems/release/helm_rights""",
    "formats/test_machines.py": """
        formats/github formats/junit formats/nagios formats/prometheus""",
    "formats/test_plan.py": """
        commands/show formats/blocks formats/brief formats/html formats/markdown""",
    "records/test_journal.py": """
        commands/runs records/entries records/runs records/debug_log
        steps/organizations/last_update""",
    "records/test_plan.py": "records/plan_json records/plan_reading steps/upgrade/server_check",
    "steps/organizations/test_by_hand.py": "systems/postgres/by_hand",
    "steps/upgrade/test_live_drift.py": "steps/upgrade/drift steps/upgrade/proposal",
    "steps/upgrade/test_owner.py": "systems/release/owners",
    "steps/upgrade/test_chart.py": "systems/release/stored_chart",
    "steps/upgrade/test_failed.py": "systems/workload/hook_jobs",
    "engine/test_look.py": "systems/release/records systems/release/look",
    "systems/helm/test_client.py": "systems/helm/process systems/helm/reads systems/helm/records",
    "systems/helm/test_errors.py": "systems/redact",
    "systems/kubernetes/test_cluster.py": "systems/kubernetes/http systems/kubernetes/kubeconfig",
    "systems/kubernetes/test_as_helm.py": """
        systems/kubernetes/server systems/kubernetes/credentials systems/kubernetes/login""",
    "systems/kubernetes/test_forward.py": "systems/kubernetes/exec",
    "systems/kubernetes/test_watching.py": "systems/kubernetes/events",
    "systems/langsmith/test_api.py": "systems/langsmith/answers systems/langsmith/http",
    "systems/postgres/test_database.py": """
        systems/postgres/model systems/postgres/opening systems/postgres/organizations
        systems/postgres/psql systems/postgres/statements""",
    "systems/postgres/test_audit_log.py": "systems/postgres/audit_event",
    "systems/postgres/test_change.py": "systems/postgres/session",
    "systems/postgres/test_driver.py": "systems/postgres/apart",
    "systems/reach/test_http.py": "systems/reach/dial systems/reach/failures systems/reach/trust",
    "systems/release/test_installation.py": "systems/release/manifest",
    "systems/values/test_edit.py": """
        systems/values/changes systems/values/diff systems/values/document
        systems/values/environment systems/values/looks systems/values/model
        systems/values/path systems/values/proof systems/values/reading""",
    "systems/workload/test_workload.py": """
        systems/workload/following systems/workload/pods systems/workload/status
        systems/workload/waiting""",
    "test_arguments.py": "formats/yaml",
    "test_settings.py": "options",
    "test_structure.py": "problems",
}
"""The modules without a test file of their name, by the test that covers them."""


def test_a_module_is_tested_by_its_name_or_by_what_the_list_says() -> None:
    names = {str(path.relative_to(WIZARD).with_suffix("")) for path in FILES}
    names = {name for name in names if not name.endswith(("__init__", "__main__"))}
    product = {name for name in names if not name.startswith("practice/")}
    folders = ((name, *name.rpartition("/")[::2]) for name in product)
    alone = {name for name, at, own in folders if not (TESTS / at / f"test_{own}.py").exists()}
    listed = [name for modules in COVERED.values() for name in modules.split()]
    assert sorted(listed) == sorted(alone)
    assert [test for test in COVERED if not (TESTS / test).exists()] == []


def test_every_finding_in_the_code_has_its_entry_and_every_entry_is_used() -> None:
    used = {id for path in FILES for id in re.findall(r'"(LSA\d{3})"', path.read_text())}
    assert used - {"LSA999"} == set(catalogue()) - {"LSA999"}


def test_no_id_has_two_entries() -> None:
    files = (WIZARD.parent / "templates" / "findings").glob("*.toml")
    ids = [id for file in files for id in re.findall(r"^\[(.+)\]", file.read_text(), re.MULTILINE)]
    assert sorted(set(ids)) == sorted(ids)


def test_every_entry_says_what_it_means_and_what_to_do() -> None:
    for entry in catalogue().values():
        assert re.fullmatch(r"LSA\d{3}", entry.id)
        assert entry.title
        assert entry.meaning.endswith((".", "?"))
        assert entry.next_step
        assert entry.source


def test_the_steps_that_can_be_left_out_are_the_steps() -> None:
    assert [step.name for step in STEPS] == list(STEP_NAMES)


def test_every_option_has_a_variable_and_only_secrets_have_no_flag() -> None:
    for option in OPTIONS:
        assert option.variable.startswith("LANGSMITH_")
        assert bool(option.flags) == (option.kind is not Kind.SECRET)


ASKED = {
    "answers": ("--answers", "LANGSMITH_AUDIT_ANSWERS"),
    "context": ("--context", "LANGSMITH_AUDIT_CONTEXT"),
    "namespace": ("--namespace", "LANGSMITH_AUDIT_NAMESPACE"),
    "release": ("--release", "LANGSMITH_AUDIT_RELEASE"),
    "values": ("--values", "LANGSMITH_AUDIT_VALUES"),
    "chart": ("--chart", "LANGSMITH_AUDIT_CHART"),
    "repo_update": ("--repo-update", "LANGSMITH_AUDIT_REPO_UPDATE"),
    "api_key": (None, "LANGSMITH_API_KEY"),
    "org": ("--org", "LANGSMITH_AUDIT_ORG"),
    "gitops": ("--gitops", "LANGSMITH_AUDIT_GITOPS"),
    "accept_owner": ("--accept-owner", "LANGSMITH_AUDIT_ACCEPT_OWNER"),
    "accept_failed": ("--accept-failed", "LANGSMITH_AUDIT_ACCEPT_FAILED"),
    "accept_render": ("--accept-render", "LANGSMITH_AUDIT_ACCEPT_RENDER"),
    "accept_trigger": ("--accept-trigger", "LANGSMITH_AUDIT_ACCEPT_TRIGGER"),
    "accept_drift": ("--accept-drift", "LANGSMITH_AUDIT_ACCEPT_DRIFT"),
    "accept_chart_change": ("--accept-chart-change", "LANGSMITH_AUDIT_ACCEPT_CHART_CHANGE"),
    "unfinished": ("--unfinished", "LANGSMITH_AUDIT_UNFINISHED"),
    "on_failure": ("--on-failure", "LANGSMITH_AUDIT_ON_FAILURE"),
    "take_over": ("--take-over", "LANGSMITH_AUDIT_TAKE_OVER"),
}
"""The frozen contract: every prompt, with the flag and the variable that answer it."""


def test_the_contract_of_the_prompts() -> None:
    asked = {
        option.name: (option.flags[-1] if option.flags else None, option.variable)
        for option in OPTIONS
        if option.ask
    }
    assert asked == ASKED


@pytest.mark.parametrize("page", PARTS)
def test_what_is_generated_is_as_scripts_docs_writes_it(page: str) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == renewed(page), "run scripts/docs"
