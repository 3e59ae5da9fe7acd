"""Uses a package of the index."""

import inflection


def main(payload=None):
    return {"plural": inflection.pluralize(payload), "version": inflection.__version__}
