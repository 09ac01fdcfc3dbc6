"""The values file: two variables are added, and no other byte changes.

The YAML libraries are imported when a file is read, not with this package.
"""

from wizard.systems.values_yaml.diff import unified_diff
from wizard.systems.values_yaml.editing import edit
from wizard.systems.values_yaml.effective import effective_values, given_values
from wizard.systems.values_yaml.files import leftovers, read_values, remove_leftovers, write_values
from wizard.systems.values_yaml.layers import edit_layers
from wizard.systems.values_yaml.model import WANTED, Edit, EnvEntry, LayeredEdit, Outcome, Refusal

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
    "given_values",
    "leftovers",
    "read_values",
    "remove_leftovers",
    "unified_diff",
    "write_values",
]
