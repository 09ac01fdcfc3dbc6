"""The values file: two variables are added, and no other byte changes.

PyYAML is imported when a file is read, not with this package.
"""

from wizard.systems.values.diff import unified_diff
from wizard.systems.values.edit import edit, edit_layers, given_to_helm, of_file
from wizard.systems.values.files import leftovers, read_values, remove_leftovers, write_values
from wizard.systems.values.model import WANTED, Edit, EnvEntry, LayeredEdit, Outcome, Refusal
from wizard.systems.values.reading import effective_values, given_values, secrets_of

__all__ = [
    "WANTED",
    "Edit",
    "EnvEntry",
    "LayeredEdit",
    "Outcome",
    "Refusal",
    "edit",
    "edit_layers",
    "effective_values",
    "given_to_helm",
    "given_values",
    "leftovers",
    "of_file",
    "read_values",
    "remove_leftovers",
    "secrets_of",
    "unified_diff",
    "write_values",
]
