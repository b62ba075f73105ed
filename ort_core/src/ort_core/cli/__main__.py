"""`python -m ort_core.cli`, for where the `ort-core` script is not on the path."""

from __future__ import annotations

import sys

from ort_core.cli import main

sys.exit(main())
