"""The HTTP interface: a Flask application on gunicorn."""
