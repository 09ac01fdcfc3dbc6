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
    spec, name = live["spec"], f"{backend.kind} {backend.name}"
    image, told = _image(live, backend.container), systems.release.revision
    secrets = secret_literals(systems.deployed_values) if told else set()
    places = dict(leaves_of(spec["template"]))
    runs = str(places.pop(image[1:], "") or "")
    strategy = leaves_of({key: spec[key] for key in STRATEGY if key in spec})
    paused = "paused" if spec.get("paused") else "not paused"
    selector = leaves_of(spec.get("selector") or {})
    found = {
        **_object(live, backend.container, name),
        f"image of {name}": _fact(FactKind.SPEC, _one(live, image, runs)),
        f"pause of {name}": _fact(FactKind.SPEC, _one(live, ("paused",), paused)),
        f"pod template of {name}": _fact(
            FactKind.TEMPLATE, _parts(live, ("template",), places.items(), secrets)
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
    """Its value is the part's own where it is one or some short ones, else a fingerprint of all."""
    if "" in parts:
        return Fact(kind, parts[""].value, parts)
    text = ", ".join(f"{at}={part.value.strip(chr(34))}" for at, part in sorted(parts.items()))
    if len(text) > LONGEST or any(part.private for part in parts.values()):
        text = fingerprint_of({at: part.value for at, part in parts.items()})
    return Fact(kind, text, parts)


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
        words = at[1:] if at[0] in ("spec", "strategy", "matchLabels") and at[1:] else at
        found[".".join(words)] = Part(
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


def _object(live: Mapping[str, Any], container: str, name: str) -> Facts:
    """The object itself, with who made it and when; and who manages it, with who marked it so.

    That is an owner that would take changes back, else helm.
    """
    about = live["metadata"]
    makers = managers_of(live, ("spec", "selector"))  # it is set once, when the object is made
    maker = f"{makers[0] if makers else 'made anew'} at {about.get('creationTimestamp', '')}"
    owner, release = owner_of(live, container), (about.get("annotations") or {}).get(HELM)
    words = owner.words if owner else f"Helm release {release}" if release else "nobody"
    marker = next((by for at in marks_at(live) if (by := last_set_by(live, at))), "")
    return {
        f"uid of {name}": _fact(FactKind.OBJECT, {"": Part(str(about["uid"]), by=maker)}),
        f"owner of {name}": _fact(FactKind.OBJECT, {"": Part(words, by=marker)}),
    }


def _image(live: Mapping[str, Any], container: str) -> At:
    """Where in `spec` the image of the backend's container is, else of the first one."""
    containers = live["spec"]["template"]["spec"]["containers"]
    names = [str(one["name"]) for one in containers]
    name = container if container in names else names[0]
    return ("template", "spec", f"containers[{name}]", "image")
