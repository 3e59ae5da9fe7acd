"""What runs inside containers: a folder a runtime, with its Dockerfile and its runner."""
