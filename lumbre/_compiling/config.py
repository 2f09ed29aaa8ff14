"""``torch._dynamo.config``: the settings that mean something here. Others may be set, and change nothing."""

from __future__ import annotations

disable = False  # every function runs as written
recompile_limit = 8  # recordings of one function, before it runs as written
cache_size_limit = 8  # the older name
