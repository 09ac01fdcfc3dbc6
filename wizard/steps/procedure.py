"""The documented procedure: the list that every walk goes over."""

from wizard.steps.step import Step
from wizard.steps.step1_chart_version import ChartVersion
from wizard.steps.step2_values_file import ValuesFile
from wizard.steps.step3_helm_upgrade import HelmUpgrade
from wizard.steps.step4_organizations import Organizations
from wizard.steps.step5_backend_restart import BackendRestart
from wizard.steps.step6_audit_table import AuditTable
from wizard.steps.step7_audit_api import AuditApi

STEPS: tuple[Step, ...] = (
    ChartVersion(),
    ValuesFile(),
    HelmUpgrade(),
    Organizations(),
    BackendRestart(),
    AuditTable(),
    AuditApi(),
)

NUMBERS = {step.name: number for number, step in enumerate(STEPS, 1)}

_BY_NAME = {step.name: step for step in STEPS}

_FIRST = ("chart_version", "organizations")


def ordered(*, one_rollout: bool) -> tuple[Step, ...]:
    """The steps in the order in which they change things.

    With `one_rollout` the organizations come before the upgrade, whose own rollout is then the
    restart that the update needs. The numbers stay those of the documented procedure.
    """
    if not one_rollout:
        return STEPS
    return (
        *(step for step in STEPS if step.name in _FIRST),
        *(step for step in STEPS if step.name not in _FIRST),
    )


def the_step(name: str) -> Step:
    """The step that plans and journals call so."""
    return _BY_NAME[name]
