"""The Python that the project's tools run on: the machine's own where it is new enough, else one that is unpacked.

A machine's `python3` may be older than the project. It runs this package alone and what it imports, which therefore
keep to Python 3.10 (`per-file-target-version` in pyproject.toml), and `dev/__init__.py` begins every other command
again on a Python that is new enough. `python3 -m dev.python` prints the path of that Python.
"""
