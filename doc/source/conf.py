"""How the documents are built: ``sphinx-build -W -q -b html doc/source OUT``."""

import sys
from pathlib import Path

from openstackdocstheme.paths import get_html_theme_path

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
html_theme = "openstackdocs"
html_theme_options = {"analytics_tracking_code": ""}
# What the theme has of docs.openstack.org, and fetches from there, is replaced.
templates_path = ["_templates"]
openstackdocs_auto_name = False
nitpicky = True
# What others document: to link there, their lists would have to be fetched.
nitpick_ignore_regex = [("py:.*", r"(collections|datetime|keystoneauth1|os|typing)\..*")]

# The theme takes the version from git, and reno the release notes: an unpacked archive has none.
if (Path(__file__).parents[2] / ".git").exists():
    extensions += ["openstackdocstheme", "reno.sphinxext"]
else:
    html_theme_path = [get_html_theme_path()]
    exclude_patterns = ["release-notes.rst"]
    suppress_warnings = ["toc.excluded"]
