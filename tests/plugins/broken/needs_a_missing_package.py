"""Imports a package that is not installed."""

import a_package_that_nobody_has.submodule as plugin  # noqa: F401
