import pytest

pytestmark = pytest.mark.packaging


def test_the_conformance_kit_runs_from_wheels(wheels, new_environment):
    environment = new_environment()
    house = str(wheels["ort-core"].parent)
    environment.pip(
        "install", "--find-links", house, f"{wheels['ort-core']}[testing]", str(wheels["ort-provider-example"])
    )
    printed = environment.script(
        "pytest", "--pyargs", "ort_core.testing", "--ort-provider", "ExampleExecutionProvider", "-p", "no:cacheprovider",
        "-W", "error", "-k", "Add-T- or test_relu or test_options", "--ort-report", "report.md",
    )  # fmt: skip
    assert " 0 failed, " in printed
    report = (environment.path / "report.md").read_text()
    assert "ort-provider-example 0.1.0" in report
    assert "### options: " in report
