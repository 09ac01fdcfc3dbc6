"""Files that are refused: name → (bytes, finding, line)."""

from __future__ import annotations

A, D = "AUDIT_LOGS_ENABLED", "DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS"
HEAD = "backend:\n  deployment:\n"
LIST = HEAD + "    extraEnv:\n"
COMMON = "commonEnv:\n"

Case = tuple[bytes, str, int | None]


def _cases(id: str, cases: dict[str, tuple[str | bytes, int | None]]) -> dict[str, Case]:
    return {
        name: (text if isinstance(text, bytes) else text.encode(), id, line)
        for name, (text, line) in cases.items()
    }


def _bomb(around: str, first: str) -> str:
    lines = [f"a0: &a0 {first}"]
    for number in range(1, 15):
        aliases = ", ".join([f"*a{number - 1}"] * 10)
        lines.append(f"a{number}: &a{number} {around.format(aliases)}")
    return "\n".join(lines) + "\n"


FOR_HELM: dict[str, tuple[str | bytes, int | None]] = {
    "a list as a key": ("? [a, b]\n: 1\n", 1),
    "a mapping as a key": ("a: 1\n? {c: d}\n: 2\n", 2),
    "an alias of a list as a key": ("a: &a [x]\n*a : 2\n", 2),
    "null as a key": ("a: 1\n~: 2\n", 2),
    "nothing as a key": ("a: {: 2}\n", 1),
    "a very large number as a key": ("18446744073709551615: 1\n", 1),
    "a merge of null": ("a: 1\nb: {<<: ~}\n", 2),
    "a merge of a scalar": ("b:\n  <<: x\n", 2),
    "a merge of an alias of a list": ("a: &a [{b: 1}]\nb: {<<: *a}\n", 2),
    "infinity": ("a: [1, .inf]\n", 1),
    "not a number": ("a: {b: .nan}\n", 1),
    "an escaped slash": ('a: 1\nb: "x\\/y"\n', 2),
    "an escaped slash behind a backslash": ('{"a": "\\\\\\/"}\n', 1),
    "a text as a number": ("a: !!int foo\n", 1),
    "a float as a whole number": ("a: !!int 1.5\n", 1),
    "no base64": ("a: !!binary ...\n", 1),
    "no time": ("a: !!timestamp 2001-02-30\n", 1),
    "a later version": ("%YAML 1.2\n---\na: 1\n", 1),
    "helm 4: a version": ("%YAML 1.1\n---\na: yes\n", 1),
    "helm 4: a tag directive": ("%TAG !e! tag:example.com,2000:\n---\na: !e!x 1\n", 1),
    "helm 4: values behind the marker": ("--- {a: 1}\n", 1),
    "helm 4: a tag behind the marker": ("--- !!map\na: 1\n", 1),
}
"""What a parser reads, and helm (or helm 4) does not."""

REFUSED: dict[str, Case] = {
    **_cases(
        "LSA302",
        {
            "over 1 MB": ("a: " + "x" * (1024 * 1024), None),
            "over 1 MB and broken": ("[" * (2 * 1024 * 1024), None),
            "crowded brackets": ("a: " + "[" * 390 + "x," * 400_000 + "]" * 390 + "\n", 1),
            "many values": ("a:\n" + "- b: \n" * 130_000, 40_001),
            "an alias bomb": (_bomb("[{}]", "[x]"), 6),
            "a merge bomb": (_bomb("{{<<: [{}]}}", "{x: 1}"), 6),
        },
    ),
    **_cases(
        "LSA310",
        {
            "latin-1": ("a: 1\nb: grün\n".encode("latin-1"), 2),
            "utf-16 with mark": ("a: 1\n".encode("utf-16"), 1),
            "cut in a character": (b"a: 1\nb: " + "漢".encode()[:2], 2),
            "overlong": (b"a: \xc0\xaf\n", 1),
            "surrogate": (b"a: 1\n\nb: \xed\xa0\x80\n", 3),
            "git-crypt": (b"\0GITCRYPT\0\x80\xff\xfe", 1),
            "gzip": (b"\x1f\x8b\x08\x00\x00\x00", 1),
            "beyond unicode": (b"a: \xf4\x90\x80\x80\n", 1),
        },
    ),
    **_cases(
        "LSA311",
        {
            "nul": ("a: 1\nb: x\0y\n", 2),
            "nul in a comment": ("# \0\na: 1\n", 1),
            "utf-16 without mark": ("a: 1\n".encode("utf-16-le"), 1),
            "only nul": (b"\0", 1),
        },
    ),
    **_cases(
        "LSA312",
        {
            "open bracket": ("a: [1, 2\n", None),
            "open quote": ('a: "b\n', None),
            "open single quote": ("a: 'b\n", None),
            "tab indentation": ("a:\n\tb: 1\n", 2),
            "control character": ("a: \x07\n", None),
            "delete character": ("a: \x7f\n", None),
            "two values": ("a: b: c\n", 1),
            "wrong dedent": ("a:\n    b: 1\n  c: 2\n", 3),
            "list in a mapping": ("a: 1\n- b\n", 2),
            "mapping in a list": ("- a\nb: 1\n", 2),
            "reserved @": ("a: @b\n", 1),
            "reserved backtick": ("a: `b`\n", 1),
            "bad escape": ('a: "\\q"\n', 1),
            "short escape": ('a: "\\x4"\n', 1),
            "escape beyond unicode": ('a: "\\UFFFFFFFF"\n', 1),
            "alias of nothing": ("a: 1\nb: *nobody\n", 2),
            "two anchors": ("a: &x &y 1\n", 1),
            "unknown directive version": ("%YAML 2.0\n---\na: 1\n", None),
            "bad indentation of a block": ("a: |\n    x\n  y\n", None),
            "unknown tag handle": ("a: !x!y 1\n", 1),
            "closing bracket": ("a: ]\n", 1),
            "mismatched brackets": ("a: [1}\n", 1),
            "text behind a quote": ('a: "b" c\n', 1),
            "key without a space": ("a:1\nb: 2\n", None),
            "only a bracket": ("{", None),
            "only a percent": ("%", None),
            "only an asterisk": ("*", None),
            "only an ampersand": ("&", None),
            "only a question mark in json": ('{"a": 1,, }', None),
            "html": ("<!DOCTYPE html>\n<html>\n<body>a: b: c</body>\n", None),
            "long simple key": ("k" * 2000 + ": 1\n", None),
            "tab on a line of its own": ("a: 1\n\t\nb: 2\n", None),
            "tab before a comment": ("a: 1\n\t# c\nb: 2\n", None),
            "block scalar indicator 0": ("a: |0\n  x\n", 1),
            "second document broken": ("a: 1\n---\n[\n", None),
            **{f"helm: {name}": case for name, case in FOR_HELM.items()},
        },
    ),
    **_cases(
        "LSA336",
        {
            "a level too many": ("a: " + "[" * 400 + "]" * 400, 1),
            "a level too many, on lines": ("".join(" " * i + "a:\n" for i in range(402)), 401),
            "deep flow": ("a: " + "[" * 20_000 + "]" * 20_000, 1),
            "deep open flow": ("a: " + "{b: " * 20_000, 1),
            "deep flow in the third line": ("a: 1\nb: {}\nc: " + "{b: " * 900 + "}" * 900, 3),
            "a million brackets": ("[" * 1_000_000, 1),
            "deep dashes": ("- " * 500_000 + "x", 1),
        },
    ),
    **_cases(
        "LSA313",
        {
            "two documents": ("a: 1\n---\nb: 2\n", 2),
            "three documents": ("---\na: 1\n---\nb: 2\n---\nc: 3\n", 3),
            "empty second document": ("a: 1\n---\n", 2),
            "second behind dots": ("a: 1\n...\n---\nb: 1\n", 3),
            "flux with its repository": (
                "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\n---\n"
                "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n",
                3,
            ),
        },
    ),
    **_cases(
        "LSA314",
        {
            "list": ("- a\n- b\n", 1),
            "empty list": ("[]\n", 1),
            "flow list": ("# c\n[a, b]\n", 2),
            "text": ("hello\n", 1),
            "number": ("42", 1),
            "quoted": ('"a: 1"\n', 1),
            "true": ("true\n", 1),
            "literal": ("|\n  a: 1\n", 1),
            "ansible vault": ("$ANSIBLE_VAULT;1.1;AES256\n6162\n", 1),
            "set": ("!!set\n? a\n", None),
        },
    ),
    **_cases(
        "LSA315",
        {
            "backend is text": ("backend: x\n", 1),
            "backend is a list": ("a: 1\nbackend:\n  - deployment\n", 3),
            "backend is a number": ("backend: 5\n", 1),
            "backend is false": ("backend: false\n", 1),
            "backend is empty text": ('backend: ""\n', 1),
            "deployment is a list": ("backend:\n  deployment:\n  - a\n", 3),
            "deployment is text": ("backend:\n  deployment: |\n    x\n", 2),
            "extraEnv is a mapping": (LIST + "      A: b\n", 4),
            "extraEnv is text": (HEAD + "    extraEnv: A=b\n", 3),
            "extraEnv is a literal": (HEAD + "    extraEnv: |\n      - name: A\n", 3),
            "extraEnv is an empty text": (HEAD + "    extraEnv: ''\n", 3),
            "extraEnv is a tpl string": (HEAD + '    extraEnv: "{{ .Values.env }}"\n', 3),
            "extraEnv of texts": (LIST + "      - A=b\n", 4),
            "extraEnv of lists": (LIST + "      - [A, b]\n", 4),
            "extraEnv with a null": (LIST + "      - name: A\n        value: b\n      -\n", 6),
            "flow extraEnv is a mapping": ("backend: {deployment: {extraEnv: {A: b}}}\n", 1),
            "our value is a list": (LIST + f"      - name: {A}\n        value: [x]\n", 5),
            "our value is a mapping": (LIST + f"      - name: {A}\n        value: {{x: y}}\n", 5),
            "our value has a tag": (LIST + f'      - name: {A}\n        value: !!bool "true"\n', 5),
            "commonEnv is a mapping with ours": (COMMON + f'  {D}: "true"\n', 2),
            "extraEnv is a tagged null": (HEAD + "    extraEnv: !!null\n", 3),
            "several sources": (
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: x}\n"
                "spec:\n  sources:\n    - chart: langsmith\n",
                6,
            ),
        },
    ),
    **_cases(
        "LSA316",
        {
            "backend twice": ("backend:\n  a: 1\nb: 1\nbackend:\n  c: 1\n", 4),
            "backend twice, once quoted": ('backend: {}\n"backend": {}\n', 2),
            "deployment twice": (HEAD + "    a: 1\n  deployment:\n    b: 1\n", 4),
            "extraEnv twice": (HEAD + "    extraEnv: []\n    extraEnv: []\n", 4),
            "in json": ('{"backend": {}, "a": 1,\n "backend": {}}', 2),
            "value twice": (
                LIST + f'      - name: {A}\n        value: "a"\n        value: "b"\n',
                6,
            ),
            "name twice": (LIST + f"      - name: X\n        name: {A}\n        value: 'a'\n", 5),
            "backend, in base64 too": ("backend: {}\n!!binary YmFja2VuZA==: {}\n", 2),
            "a number and a text that are one key": ("a: {1: x, '1': y}\n", 1),
            "commonEnv twice, ours hidden": (
                COMMON + f"  - name: {A}\n    value: 'true'\ncommonEnv: []\n",
                4,
            ),
        },
    ),
    **_cases(
        "LSA317",
        {
            "backend is an alias": ("x: &x\n  deployment: {}\nbackend: *x\n", 3),
            "deployment is an alias": ("x: &x {}\nbackend:\n  deployment: *x\n", 3),
            "extraEnv is an alias": (
                "x: &x\n  - name: A\n    value: b\n" + HEAD + "    extraEnv: *x\n",
                6,
            ),
            "key is an alias": ("x: &x backend\n*x : {a: 1}\n", 2),
            "entry is an alias": (
                f"x: &x {{name: {A}, value: 'no'}}\n" + LIST + "      - *x\n",
                5,
            ),
            "value is an alias": (
                "x: &x 'no'\n" + LIST + f"      - name: {A}\n        value: *x\n",
                6,
            ),
        },
    ),
    **_cases(
        "LSA318",
        {
            "backend is shared": ("backend: &b\n  a: 1\nother: *b\n", 1),
            "deployment is shared": ("backend:\n  deployment: &d {a: 1}\nother: *d\n", 2),
            "extraEnv is shared": (
                HEAD + "    extraEnv: &e\n      - name: A\n        value: b\nother: *e\n",
                3,
            ),
            "empty extraEnv is shared": (HEAD + "    extraEnv: &e []\nother: *e\n", 3),
            "top level is merged elsewhere": (
                "backend: &b\n  deployment:\n    a: 1\nother:\n  <<: *b\n",
                1,
            ),
            "value is shared": (
                LIST + f"      - name: {A}\n        value: &v 'no'\nother: *v\n",
                5,
            ),
        },
    ),
    **_cases(
        "LSA319",
        {
            "backend through a merge": ("x: &x\n  backend: {a: 1}\n<<: *x\n", 3),
            "deployment through a merge": (
                "x: &x\n  deployment: {a: 1}\nbackend:\n  <<: *x\n",
                4,
            ),
            "extraEnv through a merge": (
                "x: &x\n  extraEnv: []\n" + HEAD + "    <<: *x\n",
                5,
            ),
            "through a list of merges": (
                "x: &x {a: 1}\ny: &y {deployment: {a: 1}}\nbackend:\n  <<: [*x, *y]\n",
                4,
            ),
            "through two merges": (
                "x: &x {deployment: {a: 1}}\ny: &y {<<: *x}\nbackend:\n  <<: *y\n",
                4,
            ),
            "backend, and a merge behind it": ("x: &x {backend: {a: 1}}\nbackend: {}\n<<: *x\n", 3),
            "extraEnv, and a merge behind it": (
                "x: &x {extraEnv: []}\n" + LIST + "      - name: A\n    <<: *x\n",
                6,
            ),
            "extraEnv, and a null merged": (
                "x: &x {extraEnv: ~}\n" + HEAD + "    extraEnv: []\n    <<: *x\n",
                5,
            ),
            "in flow": ("backend: {deployment: {extraEnv: [], <<: {extraEnv: [{name: A}]}}}\n", 1),
            "with a tag": ("backend: {}\n!!merge <<: {backend: {a: 1}}\n", 2),
            "with a tag and quotes": ('backend: {}\n!!merge "<<": {backend: {a: 1}}\n', 2),
            "name and value merged behind": (
                LIST + f"      - name: {A}\n        value: 'true'\n        <<: {{value: 'no'}}\n",
                4,
            ),
            "value through a merge": (
                "x: &x {value: 'no'}\n" + LIST + f"      - name: {A}\n        <<: *x\n",
                5,
            ),
        },
    ),
    **_cases(
        "LSA320",
        {
            "valueFrom": (
                LIST + f"      - name: {A}\n        valueFrom:\n          fieldRef: {{}}\n",
                6,
            ),
            "valueFrom in flow": (HEAD + f"    extraEnv: [{{name: {D}, valueFrom: {{}}}}]\n", 3),
            "value and valueFrom": (
                LIST + f'      - name: {A}\n        value: "true"\n        valueFrom: {{}}\n',
                6,
            ),
            "valueFrom in commonEnv": (COMMON + f"  - name: {A}\n    valueFrom: {{}}\n", 3),
        },
    ),
    **_cases(
        "LSA321",
        {
            "name alone": (LIST + f"      - name: {A}\n", 4),
            "empty value": (LIST + f"      - name: {A}\n        value:\n", 4),
            "name alone in flow": (HEAD + f"    extraEnv: [{{name: {A}}}]\n", 3),
            "name alone in commonEnv": (COMMON + f"- name: {D}\n", 2),
        },
    ),
    **_cases(
        "LSA322",
        {
            "tpl value": (LIST + f'      - name: {A}\n        value: "{{{{ .Values.a }}}}"\n', 5),
            "substitution": (LIST + f"      - name: {A}\n        value: ${{AUDIT}}\n", 5),
            "kubernetes reference": (LIST + f'      - name: {A}\n        value: "$(B)"\n', 5),
            "tpl in commonEnv": (COMMON + f"  - name: {A}\n    value: '{{{{ x }}}}'\n", 3),
        },
    ),
    **_cases(
        "LSA323",
        {
            "twice, both right": (
                LIST + f'      - name: {A}\n        value: "true"\n' * 2,
                6,
            ),
            "twice, values differ": (
                LIST
                + f'      - name: {A}\n        value: "true"\n'
                + f'      - name: {A}\n        value: "false"\n',
                6,
            ),
            "twice in flow": (
                HEAD + f"    extraEnv: [{{name: {D}, value: a}}, {{name: {D}, value: b}}]\n",
                3,
            ),
            "in commonEnv and extraEnv": (
                COMMON
                + f"  - name: {A}\n    value: 'true'\n"
                + LIST
                + f"      - name: {A}\n        value: 'true'\n",
                7,
            ),
            "twice in commonEnv": (COMMON + f"  - name: {A}\n    value: 'true'\n" * 2, 4),
        },
    ),
    **_cases(
        "LSA324",
        {
            "templated value": ("a: {{ .Values.a }}\n", 1),
            "templated line": ("a: 1\n{{- if .Values.b }}\nb: 2\n{{- end }}\n", 2),
            "include": ('a:\n  {{- include "x" . | nindent 2 }}\n', 2),
            "templated key": ("{{ .Release.Name }}: 1\n", 1),
            "jinja": ("{% if a %}\nb: 1\n{% endif %}\n", 1),
            "in a list": (LIST + "      - {{ .Values.env }}\n", 4),
            "define": ('{{/* comment */}}\n{{ define "a" }}\na: 1\n{{ end }}\n', 1),
            "in a flow list": ("a: [{{ .b }}]\n", 1),
            "a million braces": ("{" * 1_000_000, 1),
        },
    ),
    **_cases(
        "LSA325",
        {
            "conflict": ("a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n", 2),
            "conflict with base": ("<<<<<<< a\n||||||| b\n=======\n>>>>>>> c\n", 1),
            "leftover end": ("a: 1\n>>>>>>> branch\n", 2),
            "leftover middle": ("a: 1\n=======\nb: 2\n", 2),
            "conflict with crlf": ("a: 1\r\n<<<<<<< HEAD\r\nb: 1\r\n", 2),
            "conflict in a literal": ("a: |\n  x\n<<<<<<< HEAD\n  y\n=======\n  z\n>>>>>>> b\n", 3),
        },
    ),
    **_cases(
        "LSA326",
        {
            "mapping in itself": ("a: &a\n  b: *a\n", 2),
            "list in itself": ("a: &a [1, *a]\n", 1),
            "deep inside": ("a: &a\n  b:\n    c:\n      - d: *a\n", 4),
            "merge of itself": ("a: &a\n  <<: *a\n", 2),
            "two that hold each other": ("a: &a\n  b: &b\n    c: *a\n    d: *b\n", 3),
            "document in itself": ("&a\na: *a\n", 2),
        },
    ),
    **_cases(
        "LSA327",
        {
            "sops": (
                "a: ENC[AES256_GCM,data:x,type:str]\nsops:\n  kms: []\n  lastmodified: x\n"
                "  mac: ENC[AES256_GCM,data:x]\n  version: 3.9.0\n",
                2,
            ),
            "sops in json": ('{"a": "ENC[x]", "sops": {"mac": "x", "version": "3"}}', 1),
            "sops of a manifest": (
                "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x}\n"
                "spec: {values: {a: 'ENC[x]'}}\nsops: {lastmodified: x, version: 3.9.0}\n",
                5,
            ),
        },
    ),
    **_cases(
        "LSA328",
        {
            "false in commonEnv": (COMMON + f'  - name: {A}\n    value: "false"\n', 3),
            "bare true in commonEnv": (COMMON + f"  - name: {A}\n    value: true\n", 3),
            "one right, one wrong": (
                COMMON + f"  - {{name: {A}, value: 'true'}}\n  - {{name: {D}, value: '1'}}\n",
                3,
            ),
            "wrong through an anchor": (
                f"x: &x\n  - name: {A}\n    value: 'no'\ncommonEnv: *x\n",
                3,
            ),
        },
    ),
    **_cases(
        "LSA329",
        {
            "argo values": (
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: x}\nspec:\n"
                "  source:\n    helm:\n      values: |\n        a: 1\n",
                7,
            ),
            "flux values as a text": (
                "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x}\n"
                "spec:\n  values: |\n    a: 1\n",
                5,
            ),
            "k3s": (
                "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: x}\nspec:\n"
                "  valuesContent: |-\n    a: 1\n",
                5,
            ),
            "config map": (
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n"
                "  values.yaml: |\n    a: 1\n",
                5,
            ),
        },
    ),
    **_cases(
        "LSA334",
        {
            "deployment": ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n", 1),
        },
    ),
}
