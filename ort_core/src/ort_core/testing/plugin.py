"""The pytest plugin that installing ort-core brings along: the kit's options, and the kit itself where a provider is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from ort_core.testing.conformance import marks


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares the kit's options."""
    group = parser.getgroup("ort-core conformance kit", "pytest --pyargs ort_core.testing --ort-provider NAME")
    group.addoption("--ort-provider", metavar="NAME[:key=value,...]", help="the execution provider to test")
    group.addoption(
        "--ort-ignore", metavar="FILE", help="the tests that it is known to fail; each line is PATTERN  # reason"
    )
    group.addoption(
        "--ort-report",
        action="append",
        default=[],
        metavar="PATH",
        help="write a report, .md or .json; may be repeated",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declares the kit's markers, and starts the kit if a provider is to be tested.

    Raises:
        UsageError: the kit's tests are asked for without a provider.
    """
    marks.declare(config)
    if config.getoption("--ort-provider"):
        from ort_core.testing.conformance import fixtures, kit

        config.pluginmanager.register(kit.Kit(config), kit.PLUGIN_NAME)
        config.pluginmanager.register(fixtures, "ort_core.testing.fixtures_of_kit")
    elif any(_is_of_kit(argument, config) for argument in config.args):
        raise pytest.UsageError(
            "the conformance kit of ort-core tests one execution provider: add --ort-provider NAME[:key=value,...]"
        )


def _is_of_kit(argument: str, config: pytest.Config) -> bool:
    name = argument.partition("::")[0]
    if config.option.pyargs and f"{name}.".startswith(f"{__package__}."):
        return True
    return (config.invocation_params.dir / name).is_relative_to(Path(__file__).parent)
