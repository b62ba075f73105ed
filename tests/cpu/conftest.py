"""Tests of the CPU provider: collected where it is installed."""

import importlib.util

# The extension is asked for: the folder of the distribution alone would pass for a package.
collect_ignore_glob = [] if importlib.util.find_spec("ort_provider_cpu._native") else ["*"]
