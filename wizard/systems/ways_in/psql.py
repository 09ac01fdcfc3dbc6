"""The psql that runs in a pod."""

PSQL = "exec psql -X -w -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=verbose"
"""No file of settings, no question, no decoration; it ends at the first refused statement."""

SETTINGS = """unset PGOPTIONS PGSERVICE
export PGAPPNAME=langsmith-audit PGCLIENTENCODING=UTF8 LC_MESSAGES=C
"""
