"""How the documents are built: ``sphinx-build -W -q -b html doc/source OUT``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "ext"))

project = "Pratai"
copyright = "The Pratai developers"  # noqa: A001 - Sphinx's own name for it
extensions = [
    "oslo_config.sphinxext",
    "oslo_policy.sphinxext",
    "rest_reference",
    "sphinx.ext.autodoc",
]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
html_theme = "alabaster"
html_theme_options = {"description": "Functions that run on events, for OpenStack"}
nitpicky = True
# What others document: to link there, their lists would have to be fetched.
nitpick_ignore_regex = [("py:.*", r"(collections|datetime|keystoneauth1|os|typing)\..*")]

# reno takes the release notes from git's history, which an unpacked archive does not have.
if (Path(__file__).parents[2] / ".git").exists():
    extensions.append("reno.sphinxext")
else:
    exclude_patterns = ["release-notes.rst"]
    suppress_warnings = ["toc.excluded"]
