"""What a function is given beside its code: secrets, and the right to act for its owner."""

import re
from argparse import SUPPRESS, ArgumentParser, Namespace
from typing import Any

from prataiclient.commands.asking import add_secret, secret
from prataiclient.errors import RefusedError

_VARIABLE = re.compile("[A-Z_][A-Z0-9_]*")


def add_rights(parser: ArgumentParser) -> None:
    """Add ``--secret`` and ``--trust``."""
    parser.add_argument(
        "--secret",
        type=_use,
        action="append",
        dest="secrets",
        metavar="NAME[:ENV_OR_FILE]",
        default=SUPPRESS,
        help="secret that it needs, in a file of /run/secrets, or where the name behind the colon"
        " is in capitals in that variable; may be repeated, and replaces all of them",
    )
    parser.add_argument(
        "--trust",
        nargs="+",
        dest="roles",
        metavar="ROLE",
        default=SUPPRESS,
        help="let it act for you in the project, in these roles",
    )
    parser.add_argument(
        "--application-credential",
        metavar="ID",
        help="let it act for you by this application credential, whose secret is asked for",
    )
    add_secret(parser, "credential-secret", "the secret of the application credential")


def add_no_rights(parser: ArgumentParser) -> None:
    """Add what takes them back."""
    parser.add_argument("--no-secrets", action="store_const", const=[], dest="secrets",
                        default=SUPPRESS, help="give it no secrets")  # fmt: skip
    parser.add_argument("--no-trust", action="store_const", const=None, dest="roles",
                        default=SUPPRESS, help="let it act for nobody")  # fmt: skip


def rights(parsed: Namespace) -> dict[str, Any]:
    """Return those that the command line has, as the API takes them."""
    found: dict[str, Any] = {}
    if hasattr(parsed, "secrets"):
        found["secrets"] = parsed.secrets
    if hasattr(parsed, "roles"):
        found["trust"] = None if parsed.roles is None else {"roles": parsed.roles}
    credential = parsed.application_credential
    known = secret(parsed, "credential_secret", credential is not None)
    if known and credential is None:
        raise RefusedError("--credential-secret goes with --application-credential")
    if credential is not None:
        given = {"id": credential, "secret": known["credential_secret"]}
        found["trust"] = {**(found.get("trust") or {}), "application_credential": given}
    return found


def _use(text: str) -> dict[str, str]:
    name, colon, place = text.partition(":")
    if not colon:
        return {"name": name}
    return {"name": name, "environment" if _VARIABLE.fullmatch(place) else "file": place}
