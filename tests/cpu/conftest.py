"""Tests of the CPU provider: collected where it is installed."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("ort_provider_cpu") else ["*"]
