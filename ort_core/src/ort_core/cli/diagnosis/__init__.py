"""Whether an installation is healthy: packages, plugins, environment and machine."""
