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
