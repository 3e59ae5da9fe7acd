"""The numbers that bound the platform: one place for each, used by every service.

Sources: the sizes are those of the public interface (6 MiB bodies, zips of 50 MiB); the inline
and reference limits keep records and messages small (see the rules of the data in
``doc/source/contributor/architecture.rst``).
"""

KIB = 1024
MIB = 1024 * KIB

MAX_BODY_BYTES = 6 * MIB
"""An event's payload or a function's result, as JSON text."""

INLINE_BODY_BYTES = 32 * KIB
"""Above this a body is an archive and the record holds its sha256."""

REFERENCE_BODY_BYTES = 256 * KIB
"""Above this a message carries a body's sha256 instead of its bytes."""

MAX_MESSAGE_BYTES = 1 * MIB
"""No message between daemons is larger; the sockets refuse one."""

QUEUE_MESSAGES = 256
"""High-water mark of every socket: with REFERENCE_BODY_BYTES it bounds a queue to about 64 MiB."""

MAX_REQUEST_LINE_BYTES = 8190
"""Of the line with an HTTP request's path and query, and of each header; the most that gunicorn
allows."""

MAX_ZIP_BYTES = 50 * MIB
MAX_FORM_BYTES = MAX_ZIP_BYTES + 1 * MIB
"""Of an upload: the zip, its metadata, and what holds them apart."""

MAX_UNPACKED_BYTES = 250 * MIB
MAX_ZIP_ENTRIES = 10_000
MAX_MODULE_BYTES = 256 * KIB
"""Of ``new_module.py`` and ``package.json``: the API parses them. A syntax tree of Python may take
900 times as much memory as its source, and no other request is answered while it is made.
"""

LOG_BYTES_PER_RUN = 1 * MIB
LOG_CUT_MARK = b"\n[the output was cut here: more than 1 MiB]\n"
"""What stands where the rest of a run's output was left out. Nodes cut; a collector does where one
does not, and what is shown is no longer either."""

MAX_LOG_BYTES = LOG_BYTES_PER_RUN + len(LOG_CUT_MARK)
LOG_CHUNK_BYTES = 64 * KIB
LOG_CHUNK_SECONDS = 0.5

DEFAULT_MEMORY_MB = 128
MIN_MEMORY_MB = 64
MAX_MEMORY_MB = 8192
DEFAULT_TIMEOUT_SECONDS = 60
MAX_TIMEOUT_SECONDS = 900
DEFAULT_WAIT_SECONDS = 60
MAX_WAIT_SECONDS = 60
"""How long a caller waits for a synchronous answer; nginx and gunicorn wait longer."""

MAX_FOLLOW_SECONDS = 3600
"""How long a log is followed, whether anything is printed or not."""

API_KEEPALIVE_SECONDS = 75
"""How long an API process keeps an idle connection; nginx gives its own up sooner."""

MAX_RETRIES = 10
FIRST_RETRY_MS = 1000
LONGEST_RETRY_MS = 60_000
"""Pause before a run that failed by its own fault is repeated: doubled each time."""

MAX_SPARES = 32
"""How many containers of its own a function may ask to have waiting on a node."""

MAX_SHARED_WITH = 100
"""Projects that may call a function of another one."""

MAX_COUNTED_EVENTS = 10_000
"""Of a project that may have as many as it likes: so many are counted to be shown."""

MAX_ENVIRONMENT_BYTES = 16 * KIB
"""Names and values of a function's environment variables together: they travel in each job."""

MAX_SECRET_BYTES = 14 * KIB
"""Of a secret's value: Barbican takes no more than 20,000 bytes, of its base64."""

MAX_SECRETS = 16
"""Of one function."""

SECRETS_MB = 1
"""What a container has room for in ``/run/secrets``: more than a function's secrets can take."""

MAX_FAILURE_CHARACTERS = 4096
"""Of what is told of a failure. Runners and nodes cut there."""

MAX_HOOK_HEADERS_BYTES = 8 * KIB
"""Headers and query of an event, as the function sees them."""

MAX_RESPONSE_HEADERS_BYTES = 8 * KIB
"""Names and values of the headers that a function answers with."""

ASYNC_LIFETIME_MS = 24 * 3600 * 1000
"""How long an asynchronous request may wait for its run before it is ``expired``."""

NODE_LOST_RETRIES = 3
WINDOW_REQUESTS = 10_000
"""How much of the backlog a scheduler holds; the rest stays in the store."""

MAX_AGE_SECONDS = 7 * 24 * 3600
"""Of a request that waits, as its function may set it. Requests are kept for no less."""

MAX_DELAY_SECONDS = 30 * 24 * 3600
"""How far ahead a run may be put off (``not_before``)."""

MAX_DEPTH = 16
"""Steps of a chain of functions, each run by how the one before it ended."""

CHAIN_REQUESTS = 10_000
"""Requests that descend from one: each passes on its share of what is left to it, so no circle of
subscriptions goes on for ever, and none grows beyond this."""

MAX_SUBSCRIBERS = 100
"""Subscriptions to one event, or to how one function ends."""

MAX_SUBSCRIPTIONS = 100
"""Of one function."""

MAX_FILTER_BYTES = 8 * KIB
"""A subscription's filter, as JSON text."""

MAX_BATCH_EVENTS = 100
"""Of CloudEvents that are published at once."""

ON_TIME_MS = 10_000
"""A tick that is fired so long after it was due is on time; one that nobody fired by then is
missed, and its timer says what becomes of it."""

MAX_MISSED_TICKS = 100
"""Of those that a timer missed, so many are fired at most: the latest."""
