"""Prints the section [notifications] for a broker whose address, amqp://USER:PASSWORD@HOST:PORT/VIRTUAL_HOST
or amqps://..., is the standard input: a password is nobody's business who lists processes.
"""

import sys
from urllib.parse import unquote, urlsplit

url = urlsplit(sys.stdin.read().strip())
tls = url.scheme == "amqps"
settings = {
    "host": url.hostname,
    "port": url.port or (5671 if tls else 5672),
    "virtual_host": unquote(url.path[1:]) or "/",
    "username": unquote(url.username or "guest"),
    "password": unquote(url.password or "guest"),
    "tls": tls,
}
lines = [f"{name} = {str(value).replace('$', '$$')}" for name, value in settings.items()]
sys.stdout.write("\n".join(["[notifications]", *lines, ""]))
