from setuptools import setup

setup(name="greeter", version="1.2", py_modules=["greeter"])
