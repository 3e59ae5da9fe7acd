"""Asks for a session before there is an event."""

from pratai import openstack_session

try:
    openstack_session()
except LookupError as error:
    SAID = str(error)


def main(payload: object = None) -> str:
    return SAID
