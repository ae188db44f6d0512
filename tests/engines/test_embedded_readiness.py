"""Can this machine run the embedded engine? One clear line when it cannot."""

import importlib.util

import pytest

from headgate.core.processor import cores_in, features_in
from headgate.engines.llamacpp import readiness
from headgate.engines.llamacpp.readiness import Machine, judge

ABLE = frozenset({"sse2", "avx", "avx2", "fma", "f16c"})

CPUINFO = """\
processor\t: 0
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu sse sse2 {flags}
bugs\t\t: spectre_v1

processor\t: 1
physical id\t: 0
core id\t\t: {second_core}
flags\t\t: fpu sse sse2 {flags}
"""


def machine(**facts):
    return Machine(**{"system": "linux", "arch": "x86_64", "flags": ABLE, "installed": True} | facts)


@pytest.mark.parametrize(
    "able",
    [
        machine(),
        machine(arch="arm64", flags=None),
        machine(system="darwin"),
        machine(system="darwin", arch="arm64", flags=None),
        machine(system="win32"),
        machine(flags=None),
        machine(musl=True),
        machine(system="freebsd14"),
    ],
    ids=lambda able: f"{able.system} {able.arch}{' musl' * able.musl}{' flags' * bool(able.flags)}",
)
def test_a_machine_with_the_wheel_and_no_known_lack_may_run_it(able):
    assert judge(able) is None


def test_a_missing_wheel_names_the_command_that_installs_it():
    error = judge(machine(installed=False))
    assert str(error) == "the embedded engine is not installed"
    assert error.hint == 'pip install "headgate[embedded]"'


@pytest.mark.parametrize(
    ("lacking", "where"),
    [
        (machine(installed=False, musl=True), "linux (musl) on x86_64"),
        (machine(installed=False, system="win32", arch="arm64"), "win32 on arm64"),
        (machine(installed=False, arch="riscv64", flags=None), "linux on riscv64"),
    ],
)
def test_where_no_wheel_fits_the_way_out_is_not_an_install_that_would_fail(lacking, where):
    error = judge(lacking)
    assert str(error) == f"the embedded engine has no build for {where}"
    assert "Ollama" in error.hint
    assert "headgate[embedded]" not in error.hint


def test_a_processor_without_avx2_is_told_so_by_name():
    old = features_in(CPUINFO.format(flags="avx f16c", second_core=1))
    error = judge(machine(flags=old))
    assert str(error) == "the embedded engine needs AVX2, FMA, which this processor lacks"
    assert "Ollama" in error.hint
    assert "llama-cpp-python" in error.hint


def test_an_unreadable_cpuinfo_is_unknown_and_not_a_lack():
    assert features_in("") is None


@pytest.mark.parametrize(("second_core", "cores"), [(0, 1), (1, 2)])
def test_hyper_threads_are_not_counted_as_cores(second_core, cores):
    assert cores_in(CPUINFO.format(flags="", second_core=second_core)) == cores


def test_this_machine_has_a_core_to_run_on():
    assert readiness.physical_cores() >= 1


def test_without_the_wheel_this_machine_says_so(monkeypatch):
    monkeypatch.setattr(readiness, "_processor_features", lambda: ABLE)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "embedded engine" in str(readiness.check())
