"""What a change of the backend's workload rests on, each with who set it, from one reading of it.

Not its generation: a real API server counts annotations in it (ours among them), and an autoscaler
that goes up and comes down again. What is stored is compared with what was stored, so that what
the API server fills in is nobody's move. Fingerprints tell the same from different without showing
what they are of.

The hash of all parts decides; the parts beside it only name what moved. A restart by hand is a
move of the pod template. The scale counts where helm alone had set it when the plan was made and
no autoscaler has it now.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from wizard.article import WANTED
from wizard.record import dataclass
from wizard.records.changes import Fact, FactKind, Facts, Part, fingerprint_of
from wizard.systems.redact import is_secret_key, redact, secret_literals
from wizard.systems.release.owners import (
    CONTROLLERS,
    REPLICAS,
    autoscaler_of,
    is_helm,
    last_set_by,
    managers_of,
    marks_at,
    owner_of,
)
from wizard.systems.release.rendering import ORDER, leaves_of
from wizard.systems.release.rendering import Path as At

if TYPE_CHECKING:
    from wizard.systems.access import Systems


HELM = "meta.helm.sh/release-name"
"""The annotation that helm leaves on what it installs."""
SPEC = (FactKind.TEMPLATE, FactKind.SPEC, FactKind.SCALE)
"""What a change of the whole `spec` moves."""
STRATEGY = ("strategy", "minReadySeconds", "progressDeadlineSeconds", "progressDeadlineAbort")
SCALERS = (CONTROLLERS, "keda")
"""Field managers that set `spec.replicas` by themselves (a HorizontalPodAutoscaler, KEDA)."""
PRIVATE = ("command", "args")
LONGEST = 200

Parts = Mapping[str, Part]


@dataclass(frozen=True)
class Basis:
    """What a change of the workload rests on.

    Attributes:
        preconditions: what it rests on.
        besides: the scale where somebody else sets it, so that one that is back at what it was is
            known.
    """

    preconditions: Facts
    besides: Facts

    def moved(self, *, whole: bool) -> dict[str, str]:
        """What a change of the template alone moves, or one of the `whole` of `spec`."""
        wanted = SPEC if whole else (FactKind.TEMPLATE,)
        known = {**self.preconditions, **self.besides}
        return {name: "" for name, fact in known.items() if fact.kind in wanted}


def of_workload(systems: Systems) -> Basis:
    """The backend's workload: what it is, whose, and what of its `spec` the steps rest on."""
    backend, live = systems.installation.backend, systems.workload.live()
    about, spec, name = live["metadata"], live["spec"], f"{backend.kind} {backend.name}"
    image, told = _image(live, backend.container), systems.release.revision
    secrets = secret_literals(systems.deployed_values) if told else set()
    template = {
        at: value for at, value in leaves_of(spec["template"]) if ("template", *at) != image
    }
    strategy = leaves_of({key: spec[key] for key in STRATEGY if key in spec})
    paused = "paused" if spec.get("paused") else "not paused"
    selector = leaves_of(spec.get("selector") or {})
    found = {
        f"uid of {name}": _fact(FactKind.OBJECT, {"": Part(str(about["uid"]), by=_maker(live))}),
        f"owner of {name}": _fact(
            FactKind.OBJECT, {"": Part(_owner(live, backend.container), by=_marker(live))}
        ),
        f"image of {name}": _fact(FactKind.SPEC, _one(live, image, str(_at(spec, image) or ""))),
        f"pause of {name}": _fact(FactKind.SPEC, _one(live, ("paused",), paused)),
        f"pod template of {name}": _fact(
            FactKind.TEMPLATE, _parts(live, ("template",), template.items(), secrets)
        ),
        f"rollout strategy of {name}": _fact(FactKind.SPEC, _parts(live, (), strategy, secrets)),
        f"selector of {name}": _fact(FactKind.SPEC, _parts(live, ("selector",), selector, secrets)),
    }
    besides: dict[str, Fact] = {}
    others = [it for it in managers_of(live, REPLICAS) if not is_helm(it)]
    scaled = any(it.startswith(SCALERS) for it in others)
    if "replicas" in spec and not scaled and (others or not autoscaler_of(systems.cluster, live)):
        scale = _fact(FactKind.SCALE, _one(live, ("replicas",), str(spec["replicas"])))
        (besides if others else found)[f"scale of {name}"] = scale
    return Basis(found, besides)


def _fact(kind: FactKind, parts: Parts) -> Fact:
    return Fact(kind, _value(parts), parts)


def _one(live: Mapping[str, Any], at: At, value: str) -> Parts:
    return {"": Part(value, by=last_set_by(live, ("spec", *at)))}


def _parts(
    live: Mapping[str, Any], above: At, leaves: Iterable[tuple[At, Any]], secrets: set[str]
) -> Parts:
    """Each place below `spec` and `above` that has a value, by its words."""
    found = {}
    for at, value in leaves:
        if value == []:
            continue
        text = json.dumps(value, ensure_ascii=False, default=str)
        set_at = at[:-1] if at[-1] == ORDER else at
        found[_words(at)] = Part(
            text, _private(at) or redact(text, secrets) != text,
            last_set_by(live, ("spec", *above, *set_at)),
        )  # fmt: skip
    return found


def _private(at: At) -> bool:
    """Whether a value may be secret: variables but ours, headers, and what is run."""
    if any(part in {f"env[{name}]" for name in WANTED} for part in at):
        return False
    listed = any(part.startswith(("env[", "httpHeaders[")) for part in at)
    return (listed and at[-1] == "value") or at[-1] in PRIVATE or is_secret_key(at[-1])


def _words(at: At) -> str:
    return ".".join(at[1:] if at[0] in ("spec", "strategy", "matchLabels") and at[1:] else at)


def _value(parts: Parts) -> str:
    """The value itself where it is one or some short ones, else a fingerprint of all."""
    if "" in parts:
        return parts[""].value
    text = ", ".join(f"{at}={part.value.strip(chr(34))}" for at, part in sorted(parts.items()))
    if len(text) <= LONGEST and not any(part.private for part in parts.values()):
        return text
    return fingerprint_of({at: part.value for at, part in parts.items()})


def _owner(live: Mapping[str, Any], container: str) -> str:
    """Who manages the object: an owner that would take changes back, else helm."""
    owner = owner_of(live, container)
    if owner:
        return owner.words
    release = (live["metadata"].get("annotations") or {}).get(HELM)
    return f"Helm release {release}" if release else "nobody"


def _marker(live: Mapping[str, Any]) -> str:
    """Who set the mark that an owner is recognised by."""
    return next((by for at in marks_at(live) if (by := last_set_by(live, at))), "")


def _maker(live: Mapping[str, Any]) -> str:
    """Who made the object, and when; the selector is set once, when it is made."""
    by = managers_of(live, ("spec", "selector"))
    return f"{by[0] if by else 'made anew'} at {live['metadata'].get('creationTimestamp', '')}"


def _image(live: Mapping[str, Any], container: str) -> At:
    """Where in `spec` the image of the backend's container is, else of the first one."""
    containers = live["spec"]["template"]["spec"]["containers"]
    names = [str(one["name"]) for one in containers]
    name = container if container in names else names[0]
    return ("template", "spec", f"containers[{name}]", "image")


def _at(spec: Mapping[str, Any], image: At) -> Any:
    return dict(leaves_of({"template": spec["template"]})).get(image)
