"""How the documents are built: ``sphinx-build -W -q -b html doc/source OUT``."""

from pathlib import Path

project = "Pratai"
copyright = "The Pratai developers"  # noqa: A001 - Sphinx's own name for it
extensions = ["oslo_config.sphinxext", "oslo_policy.sphinxext"]
html_theme = "alabaster"
html_theme_options = {"description": "Functions that run on events, for OpenStack"}
nitpicky = True

# reno takes the release notes from git's history, which an unpacked archive does not have.
if (Path(__file__).parents[2] / ".git").exists():
    extensions.append("reno.sphinxext")
else:
    exclude_patterns = ["release-notes.rst"]
    suppress_warnings = ["toc.excluded"]
