"""The benchmark: what the audit costs beside the bare HTTP exchange, and beside what scripts do.

`python -m bench` measures; `python -m bench --quick` shows in under a minute that it works.
"""
