"""What a process may use: cores and memory by affinity and by the limits of its container."""

from __future__ import annotations

import pytest

from ort_core import resources
from ort_core.providers.spec import ThreadPolicy


@pytest.fixture
def cgroups(tmp_path, monkeypatch):
    root = tmp_path / "cgroup"
    root.mkdir()
    monkeypatch.setattr(resources, "_CGROUP", str(root))

    def write(membership: str, **files: str) -> None:
        for path, text in files.items():
            target = root / path.replace("__", "/").replace("_dot_", ".")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        original = resources.read_text
        monkeypatch.setattr(
            resources, "read_text", lambda p: membership if str(p) == "/proc/self/cgroup" else original(p)
        )

    return write


def test_quota_and_memory_of_cgroups_2_are_the_least_on_the_way_up(cgroups):
    cgroups(
        "0::/a/b",
        a__b__cpu_dot_max="max 100000",
        a__cpu_dot_max="250000 100000",
        cpu_dot_max="400000 100000",
        a__memory_dot_max="1073741824",
        memory_dot_max="max",
    )
    assert resources.cpu_quota() == 2.5
    assert resources.memory_limit() == 1 << 30


def test_quota_and_memory_of_cgroups_1(cgroups):
    cgroups(
        "3:memory:/box\n2:cpu,cpuacct:/box",
        **{"cpu,cpuacct__box__cpu_dot_cfs_quota_us": "150000", "cpu,cpuacct__box__cpu_dot_cfs_period_us": "100000"},
        memory__memory_dot_limit_in_bytes="9223372036854771712",
        memory__box__memory_dot_limit_in_bytes="536870912",
    )
    assert resources.cpu_quota() == 1.5
    assert resources.memory_limit() == 512 << 20


def test_no_limits_without_cgroups(cgroups):
    cgroups("")
    assert resources.cpu_quota() is None
    assert resources.memory_limit() is None


@pytest.mark.parametrize(("quota", "cores", "threads"), [(None, 8, 8), (2.5, 8, 3), (0.5, 8, 1), (16.0, 4, 4)])
def test_threads_follow_affinity_and_quota(quota, cores, threads, monkeypatch):
    monkeypatch.setattr(resources, "cpu_quota", lambda: quota)
    monkeypatch.setattr(resources, "_quota", None)
    monkeypatch.setattr(resources, "usable_cores", lambda: cores)
    assert resources.default_threads() == threads
    assert ThreadPolicy().intra_op_threads() == threads
    assert ThreadPolicy(intra_op=7).intra_op_threads() == 7
