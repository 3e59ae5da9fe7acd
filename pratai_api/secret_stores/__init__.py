"""Secrets of projects: kept by Barbican, or on this machine."""

from pratai_api.secret_stores.base import SecretStore, open_secret_store

__all__ = ["SecretStore", "open_secret_store"]
