"""The documented procedure: the list that every walk goes over."""

from wizard.steps.audit_api import AuditApi
from wizard.steps.audit_table import AuditTable
from wizard.steps.backend_restart import BackendRestart
from wizard.steps.base import Step
from wizard.steps.chart_version import ChartVersion
from wizard.steps.helm_upgrade import HelmUpgrade
from wizard.steps.organizations import Organizations
from wizard.steps.values_file import ValuesFile

STEPS: tuple[Step, ...] = (
    ChartVersion(),
    ValuesFile(),
    HelmUpgrade(),
    Organizations(),
    BackendRestart(),
    AuditTable(),
    AuditApi(),
)

TITLES = {step.name: step.title for step in STEPS}
NUMBERS = {step.name: number for number, step in enumerate(STEPS, 1)}

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
