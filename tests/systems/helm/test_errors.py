"""What helm's own words become, and what no message may repeat."""

import json

import pytest

from wizard.problems import Exit
from wizard.systems.helm.errors import Call, helm_problem, words
from wizard.systems.redact import is_secret_key, redact, secret_literals

CALL = Call("helm upgrade", "release ls in namespace ns", "langchain/langsmith", "0.12.33")


@pytest.mark.parametrize(
    ("said", "id"),
    [
        ('Error: Kubernetes cluster unreachable: Get "https://k": dial tcp: i/o timeout', "LSA115"),
        ('Error: kubernetes cluster unreachable: Get "https://k": x509: unknown', "LSA134"),
        ("Error: kubernetes cluster unreachable: getting credentials: exec: aws failed", "LSA116"),
        ("Error: the server has asked for the client to provide credentials", "LSA116"),
        ("Error: release: not found", "LSA118"),
        ('Error: UPGRADE FAILED: "ls" has no deployed releases', "LSA118"),
        ("Error: repo langchain not found", "LSA119"),
        ('Error: path "./x" not found', "LSA119"),
        ('chart "langsmith" matching 9.9.9 not found in langchain index', "LSA120"),
        (
            "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
            "LSA121",
        ),
        ("Error: UPGRADE FAILED: template: langsmith/x.yaml:3: nil pointer", "LSA125"),
        ("Error: failed to parse v.yaml: error converting YAML to JSON: yaml: line 1", "LSA125"),
        ("Error: UPGRADE FAILED: timed out waiting for the condition", "LSA127"),
        ("Error: UPGRADE FAILED: context deadline exceeded", "LSA127"),
        (
            "Error: UPGRADE FAILED: post-upgrade hooks failed: 1 error occurred: "
            "* job ls-backend-migrations failed: BackoffLimitExceeded",
            "LSA130",
        ),
        (
            "Error: UPGRADE FAILED: post-upgrade hooks failed: timed out waiting for the condition",
            "LSA130",
        ),
        (
            "Error: UPGRADE FAILED: conflict occurred while applying object ns/x: Apply failed "
            'with 1 conflict: conflict with "kubectl-set" using apps/v1',
            "LSA133",
        ),
        ('admission webhook "p.example.com" denied the request: no', "LSA132"),
        (
            "Error: UPGRADE FAILED: server-side apply failed for object ns/langsmith-backend "
            'apps/v1, Kind=Deployment: deployments.apps "langsmith-backend" is forbidden: '
            "ValidatingAdmissionPolicy 'limits' with binding 'limits' denied request: no",
            "LSA132",
        ),
        (
            'Error: UPGRADE FAILED: cannot patch "langsmith-backend" with kind Deployment: '
            'deployments.apps "langsmith-backend" is forbidden: ValidatingAdmissionPolicy '
            "'limits' with binding 'limits' denied request: no",
            "LSA132",
        ),
        (
            'Error: UPGRADE FAILED: create: failed to create: secrets "sh.helm.release.v1.ls.v2" '
            "is forbidden: exceeded quota: q, requested: secrets=1, used: secrets=3, limited: 3",
            "LSA136",
        ),
        (
            'Error: UPGRADE FAILED: cannot patch "langsmith-backend" with kind Deployment:  "" is '
            'invalid: patch: Invalid value: "map[spec:map[image:x cause:connection refused]]": '
            "unrecognized type: string",
            "LSA132",
        ),
        (
            "Error: UPGRADE FAILED: server-side apply failed for object ns/x apps/v1, "
            "Kind=Deployment: failed to create typed patch object (ns/x; apps/v1, "
            "Kind=Deployment): .spec.nosuch: field not declared in schema",
            "LSA132",
        ),
        (
            'Error: UPGRADE FAILED: cannot patch "ls" with kind Deployment: Internal error '
            'occurred: failed calling webhook "v.example.com": failed to call webhook: Post '
            '"https://v.ns.svc:443/": context deadline exceeded',
            "LSA137",
        ),
        (
            'Error: UPGRADE FAILED: Internal error occurred: failed calling webhook "v": failed to '
            'call webhook: Post "https://v": dial tcp 10.0.0.1:443: connect: connection refused',
            "LSA137",
        ),
        (
            'Error: UPGRADE FAILED: failed calling webhook "v": Post "https://v": tls: failed to '
            "verify certificate: x509: certificate signed by unknown authority",
            "LSA137",
        ),
        (
            "Error: UPGRADE FAILED: unable to build kubernetes objects from current release "
            'manifest: resource mapping not found for name: "ls" namespace: "" from "": no matches '
            'for kind "PodDisruptionBudget" in version "policy/v1beta1"\nensure CRDs are installed',
            "LSA138",
        ),
        (
            'Error: UPGRADE FAILED: create: failed to create: Secret "sh.helm.release.v1.ls.v2" is '
            "invalid: data: Too long: must have at most 1048576 bytes",
            "LSA139",
        ),
        (
            "Error: UPGRADE FAILED: create: failed to create: Request entity too large: limit is "
            "3145728",
            "LSA139",
        ),
        ("Error: something new", "LSA131"),
        ("", "LSA131"),
    ],
)
def test_causes_are_told_apart(said: str, id: str) -> None:
    problem = helm_problem(CALL, said)
    assert problem.id == id
    assert problem.on == CALL.on
    assert "{" not in problem.what + problem.next_step


def test_a_missing_right_names_verb_resource_and_group() -> None:
    problem = helm_problem(
        CALL,
        'Error: UPGRADE FAILED: deployments.apps "x" is forbidden: User "u" cannot patch resource '
        '"deployments" in API group "apps" in the namespace "ns"',
    )
    assert (problem.id, problem.exit) == ("LSA117", Exit.UNKNOWN)
    assert "patch deployments in namespace ns" in problem.what
    assert 'apiGroups: ["apps"]' in problem.next_step


def test_warnings_are_neither_shown_nor_taken_for_the_cause() -> None:
    said = (
        "WARNING: Kubernetes configuration file is group-readable. Location: /x/i/o timeout\n"
        "level=WARN msg=connection refused\n"
        "W1122 20:00:00.000000 1 x.go:1] certificate signed by unknown authority\n"
        "Error: release: not found\n"
    )
    assert helm_problem(CALL, said).id == "LSA118"
    assert words(said) == ("Error: release: not found",)


def test_only_the_last_lines_are_kept() -> None:
    assert words("\n".join(f"line {n}" for n in range(100)))[-1] == "line 99"
    assert len(words("\n".join(f"line {n}" for n in range(100)))) < 20


SECRET = "pw-nobody-may-read"
GO_STRUCT = f'core.PodSpec{{Env:[]core.EnvVar{{core.EnvVar{{Name:"A", Value:"{SECRET}}}"}}}}}}'
JSON = json.dumps({"env": [{"name": "A", "value": SECRET + '}"] "'}], "selector": {"a": "b"}})
PRINTED = [
    f' "" is invalid: patch: Invalid value: {json.dumps(JSON)}: told',
    "level=ERROR error=" + json.dumps(f"patch: Invalid value: {json.dumps(JSON)}: told"),
    f'Job.batch "j" is invalid: [a: Invalid value: {JSON}: told, b: Invalid value: {JSON}: told]',
    f"spec.template: Invalid value: {GO_STRUCT}: told",
    f'Invalid value: map[string]string{{"a":"{SECRET}"}}: told',
    f'patch: Invalid value: "map[spec:map[env:[map[name:A value:{SECRET}]]]]": told',
    f'.data.a: expected string, got &value.valueUnstructured{{Value:"{SECRET}"}}: told',
    f"The order in patch list:\n[map[name:A value:{SECRET}\nand {SECRET}]]\n told doesn't match "
    f"$setElementOrder list:\n[map[name:{SECRET}]]\n",
    f"map: map[value:{SECRET}] does not contain declared merge key: told",
    f"told: unknown patch type: sideways in map: map[$patch:sideways value:{SECRET}]",
    f'told: Invalid value: "{{\\"a\\":\\"{SECRET} and it was cut off',
]


@pytest.mark.parametrize("said", PRINTED)
def test_the_object_that_a_server_repeats_is_not_told(said: str) -> None:
    """With every secret in it, and whatever brackets and quotes they hold."""
    told = "\n".join(words(f"Error: UPGRADE FAILED: {said}"))
    assert SECRET not in told
    assert "(an object, not shown)" in told
    assert "told" in told or "patch list" in told


@pytest.mark.parametrize(
    "said",
    [
        'env[0].name: Invalid value: "A=B": a name',
        "tailLines: Invalid value: -1: must be",
        "exceeded quota: q, requested: secrets=1, used: secrets=9, limited: secrets=9",
    ],
)
def test_a_value_alone_is_told(said: str) -> None:
    assert redact(said) == said


def test_helms_own_record_is_told_from_other_objects_of_a_quota() -> None:
    refused = "is forbidden: exceeded quota: q, requested: secrets=1, used: 3, limited: 3"
    record, other = (
        helm_problem(CALL, f'Error: UPGRADE FAILED: create: secrets "{name}" {refused}')
        for name in ("sh.helm.release.v1.ls.v2", "ls-extra")
    )
    assert (record.id, other.id) == ("LSA136", "LSA136")
    assert "helm changed no object" in record.what
    assert "helm changed no object" not in other.what


@pytest.mark.parametrize(
    "text",
    [
        "postgres://user:S3CRET@db:5432/x",
        "postgresql://user:p@ssS3CRET/w?rd@db:5432/x",
        "user:p@S3CRET/w?rd@db:5432/langsmith",
        "Authorization: Bearer S3CRETS3CRET",
        "key lsv2_pt_S3CRET_1 refused",
        "password=S3CRET",
        "password: S3CRET",
        "  langsmithLicenseKey: S3CRET",
        "apiKeySalt: 'S3CRET'",
        '{"jwtSecret": "S3CRET"}',
        '"{\\"jwtSecret\\":\\"S3CRET, S3CRET\\"}"',
        "warning: cannot overwrite table with non table for config (map[apiKeySalt:S3CRET "
        'on:true jwtSecret:"S3 CRET S3CRET"])',
        "cannot log in with password 'S3CRET'",
        '{"a": 1, "initialOrgAdminPassword":"S3CRET, S3CRET"}',
        "  privateKey: |\n    aaaS3CRET\n    bbbS3CRET\nnext: 1",
        "-----BEGIN RSA PRIVATE KEY-----\nS3CRET\n-----END RSA PRIVATE KEY-----",
        "token eyJhbGciOiJS3CRET.eyJzdWIiS3CRET.S3CRET",
        "API_KEY = S3CRET",
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    assert "S3CRET" not in redact(text)
    assert "***" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        'secrets "langsmith-postgres" is forbidden: User "u" cannot get resource "secrets"',
        "dial tcp 10.0.0.1:5432: connect: connection refused",
        "http://127.0.0.1:8080/version",
        "existingSecretName",
        "couldn't get token: exec: process returned 1",
        "namespace: langsmith",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_known_literals_are_taken_out_the_longest_first() -> None:
    assert redact("a hunter2hunter2 b hunter2", ["hunter2", "hunter2hunter2", "b"]) == "a *** b ***"


@pytest.mark.parametrize(
    "said",
    [
        r'value "hun\"ter2" is bad',
        "data: aHVuInRlcjI=",
        "https://h/?x=hun%22ter2",
    ],
)
def test_known_literals_are_known_in_other_forms_too(said: str) -> None:
    assert "***" in redact(said, ['hun"ter2'])


def test_a_known_text_of_several_lines_is_known_line_by_line() -> None:
    assert redact("no: line-one-of-it, }", ["line-one-of-it\n}\n"]) == "no: ***, }"


def test_the_secrets_of_values() -> None:
    values = {
        "config": {"apiKeySalt": "salty", "hostname": "ls.example.com", "existingSecretName": "s1"},
        "postgres": {"external": {"password": 123456, "connectionUrlSecretKey": "connection_url"}},
        "list": [{"jwtSecret": "jjjj", "name": "visible"}],
        "short": {"password": "abc"},
        "flag": {"secretEnabled": True},
        "env": [{"name": "DB_PASSWORD", "value": "hidden"}, {"name": "LEVEL", "value": "debug"}],
    }
    assert secret_literals(values) == {"salty", "123456", "jjjj", "hidden"}
    assert is_secret_key("langsmithLicenseKey")
    assert not is_secret_key("secretKeyRef")


def test_all_verbs_that_helm_lacks_are_named() -> None:
    said = "\n".join(
        f'jobs.batch is forbidden: User "u" cannot {verb} resource "{what}" in API group "{group}" '
        'in the namespace "ns"'
        for verb, what, group in (
            ("list", "jobs", "batch"), ("watch", "jobs", "batch"), ("get", "secrets", "")
        )
    )  # fmt: skip
    problem = helm_problem(CALL, said)
    assert problem.id == "LSA117"
    assert "list, watch jobs in namespace ns; get secrets in namespace ns" in problem.what
    assert 'resources: ["jobs"], verbs: ["list", "watch"]' in problem.next_step
    assert 'resources: ["secrets"], verbs: ["get"]' in problem.next_step


def test_a_kind_that_the_cluster_has_no_more_is_told_by_whose_it_is() -> None:
    words = 'resource mapping not found: no matches for kind "Thing" in version "x.io/v1"'
    for manifest, step in (("current", "helm mapkubeapis RELEASE"), ("new", "its CRD")):
        said = f"unable to build kubernetes objects from {manifest} release manifest: {words}"
        problem = helm_problem(CALL, said)
        assert (problem.id, step in problem.next_step) == ("LSA138", True)
        assert "Thing in x.io/v1" in problem.what
