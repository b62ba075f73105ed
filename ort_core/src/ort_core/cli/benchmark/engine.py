"""An engine that is measured: a child process, and what this process asks of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ort_core.cli.child import describe_exit, start_child, stop_child
from ort_core.errors import Fail


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What to measure: a package, and providers with their options (none for the package's default)."""

    package: str
    providers: tuple[tuple[str, dict[str, str]], ...]
    threads: int

    @property
    def title(self) -> str:
        """What messages call it before it has started."""
        return "/".join([self.package.replace("_", "-"), *(name for name, _ in self.providers)])


@dataclass(slots=True)
class Engine:
    """A running engine; a context manager that ends the process.

    Attributes:
        version, providers, import_s, create_s: known once `create` has returned.
    """

    spec: EngineSpec
    version: str = ""
    providers: tuple[str, ...] = ()
    import_s: float = 0.0
    create_s: float = 0.0
    _process: Any = field(init=False)

    def __post_init__(self) -> None:
        self._process = start_child("ort_core.cli.benchmark.worker")

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        stop_child(self._process)
        self._process.stdin.close()
        self._process.stdout.close()

    @property
    def title(self) -> str:
        """Package, version and providers: `ort-core 0.1.0 CPUExecutionProvider`."""
        return f"{self.spec.package.replace('_', '-')} {self.version} {'/'.join(self.providers)}"

    def create(self, model: str, profile_prefix: str = "") -> None:
        """Creates the session.

        Raises:
            Fail: it cannot be created.
        """
        names = [name for name, _ in self.spec.providers]
        options = [options for _, options in self.spec.providers]
        answer = self.ask(
            "create",
            package=self.spec.package,
            model=model,
            providers=names,
            provider_options=options,
            threads=self.spec.threads,
            profile_prefix=profile_prefix,
        )
        self.version, self.providers = answer["version"], tuple(answer["providers"])
        self.import_s, self.create_s = answer["import_s"], answer["create_s"]

    def ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Sends a request of `ort_core.cli.benchmark.worker.Worker` and returns the answer.

        Raises:
            Fail: the engine answered with an error, or its process ended.
        """
        try:
            self._process.stdin.write(json.dumps({"action": action, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._process.wait()
            raise Fail(f"{self.spec.title}: its process {describe_exit(self._process.returncode)} ({action}).")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Fail(f"{self.spec.title}: {answer['error']}")
        return answer
