"""Records as clients see them: names and shapes are the public interface."""

from typing import Any

from pratai_common.clock import iso
from pratai_common.records import Attempt, Daemon, Function, Request, Version


def function(record: Function) -> dict[str, Any]:
    """Return a function."""
    return {
        "function_id": record.function_id,
        "project_id": record.project_id,
        "tenant_id": record.project_id,
        "user_id": record.user_id,
        "name": record.name,
        "description": record.description,
        "type": record.type,
        "event": record.event,
        "public": False,
        "endpoint": None,
        "runtime": record.runtime,
        "memory": record.memory,
        "cpus": record.cpus,
        "timeout": record.timeout,
        "limit": None,
        "isolation": record.isolation,
        "network": record.network,
        "environment": {},
        "retries": 0,
        "enabled": True,
        "status": record.status,
        "build_error": record.build_error,
        "version": record.version,
        "created_at": iso(record.created_at),
        "updated_at": iso(record.updated_at),
        "logs_endpoint": f"/v1/functions/{record.function_id}/build-log",
    }


def version(record: Version) -> dict[str, Any]:
    """Return a version of a function."""
    return {
        "version": record.number,
        "function_id": record.function_id,
        "project_id": record.project_id,
        "tenant_id": record.project_id,
        "runtime": record.runtime,
        "sha256": record.archive_sha256,
        "size": record.size,
        "status": record.status,
        "build_error": record.build_error,
        "created_at": iso(record.created_at),
    }


def request(record: Request) -> dict[str, Any]:
    """Return a request without its bodies."""
    return {
        "request_id": record.request_id,
        "function_id": record.function_id,
        "version": record.version,
        "project_id": record.project_id,
        "tenant_id": record.project_id,
        "user_id": record.user_id,
        "source": record.source,
        "parent_id": None,
        "root_id": record.request_id,
        "depth": 0,
        "replay_of": None,
        "status": record.status,
        "reason": record.reason,
        "message": record.message,
        "dead": False,
        "attempts": [_attempt(attempt) for attempt in record.attempts],
        "created_at": iso(record.created_at),
        "started_at": iso(record.started_at),
        "finished_at": iso(record.finished_at),
        "expires_at": iso(record.expires_at),
        "next_run_at": None if record.status.final else iso(record.next_run_at),
        "queue_ms": record.queue_ms,
        "init_ms": record.init_ms,
        "run_ms": record.run_ms,
        "cold": record.cold,
        "isolation": record.isolation,
        "node": record.node,
        "peak_memory": record.peak_memory,
        "logs_endpoint": f"/v1/requests/{record.request_id}/logs",
    }


def _attempt(record: Attempt) -> dict[str, Any]:
    return {
        "attempt": record.number,
        "node": record.node,
        "started_at": iso(record.started_at),
        "finished_at": iso(record.finished_at),
        "reason": record.reason,
        "message": record.message,
    }


def daemon(record: Daemon, running: bool) -> dict[str, Any]:
    """Return a daemon of the cluster."""
    return {
        "daemon_type": record.daemon_type,
        "daemon_id": record.daemon_id,
        "joined_at": iso(record.joined_at),
        "status": "running" if running else "not running",
        "ip": record.ip,
        "version": record.version,
        "pid": record.pid,
        "dropped_messages": record.dropped_messages,
    }
