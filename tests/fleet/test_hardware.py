"""What a machine has: from folders, libraries and programs that the tests make, so that no GPU is needed."""

import ctypes
import os
import shutil
import subprocess
import sys

import pytest

from headgate.core.hardware import Gpu, room_of
from headgate.core.memory import GIB
from headgate.fleet.hardware import Sources, look, run
from headgate.fleet.nvml import loader, nvidia_gpus

CPUINFO = """\
processor\t: 0
model name\t: AMD Ryzen 9 7950X
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu sse2 avx avx2 fma f16c avx512f

processor\t: 1
model name\t: AMD Ryzen 9 7950X
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu sse2 avx avx2 fma f16c avx512f
"""

NVML = r"""
#include <string.h>
typedef struct { unsigned long long total, free, used; } memory_t;
int nvmlInit_v2(void) { return INIT; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return COUNT; }
int nvmlSystemGetDriverVersion(char *text, unsigned length) { strncpy(text, "570.86.10", length); return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    *handle = (void *)(unsigned long)(index + 1);
    return index == 1 ? SECOND : 0;
}
int nvmlDeviceGetName(void *handle, char *text, unsigned length) {
    strncpy(text, handle == (void *)1 ? "NVIDIA GeForce RTX 4090" : "NVIDIA GeForce RTX 3060", length);
    return 0;
}
#ifndef OLD
int nvmlDeviceGetMemoryInfo(void *handle, memory_t *memory) {
    memory->total = 24ULL << 30; memory->used = 2ULL << 30; memory->free = 22ULL << 30;
    return handle == (void *)2 ? MEMORY : 0;
}
#endif
const char *nvmlErrorString(int code) {
    switch (code) {
        case 3: return "Not Supported";
        case 4: return "Insufficient Permissions";
        case 9: return "Driver Not Loaded";
        case 15: return "GPU is lost";
        case 18: return "RM has detected an NVML/RM version mismatch.";
        default: return "Unknown Error";
    }
}
"""

needs_cc = pytest.mark.skipif(
    shutil.which("cc") is None or sys.platform == "win32", reason="there is no C compiler here"
)


@pytest.fixture(scope="module")
def nvml(tmp_path_factory):
    """Makes a library like NVIDIA's whose functions end with the given codes."""

    def make(**codes):
        folder = tmp_path_factory.mktemp("nvml")
        (folder / "nvml.c").write_text(NVML)
        defined = {"INIT": 0, "COUNT": 0, "SECOND": 0, "MEMORY": 0} | codes
        flags = [f"-D{name}={code}" for name, code in defined.items()]
        order = ["cc", "-shared", "-fPIC", *flags, "-o", "libnvml.so", "nvml.c"]
        subprocess.run(order, cwd=folder, check=True, capture_output=True)
        return lambda: ctypes.CDLL(str(folder / "libnvml.so"))

    return make


def no_library():
    raise OSError


def write(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def machine(tmp_path):
    """A Linux with 32 GiB of RAM and no GPU, whose facts can be replaced."""
    write(
        tmp_path,
        proc__cpuinfo=CPUINFO,
        proc__meminfo=f"MemTotal:       {32 * 1024**2} kB\nMemFree:  1 kB\nMemAvailable:   {20 * 1024**2} kB\n",
        proc__version="Linux version 6.8.0",
    )

    def look_at(**facts):
        given = {
            "root": tmp_path,
            "system": "linux",
            "arch": "x86_64",
            "nvml": no_library,
            "run": lambda order: "",
            "usable": 2,
        }
        return look(tmp_path, Sources(**given | facts))

    look_at.root = tmp_path
    return look_at


def test_a_machine_without_a_gpu_is_described_and_nothing_is_wrong_with_it(machine):
    found = machine()
    assert found.gpus == ()
    assert found.notes == ()
    assert (found.ram_total, found.ram_available) == (32 * GIB, 20 * GIB)
    assert (found.processor, found.cores) == ("AMD Ryzen 9 7950X", 1)
    assert found.features == ("avx", "avx2", "fma", "f16c", "avx512f")
    assert found.disk_free == pytest.approx(shutil.disk_usage(machine.root).free, rel=0.2)
    assert found.inside == ()
    assert room_of(found).gpu == 0
    assert room_of(found).ram == 20 * GIB


def test_this_very_machine_can_be_looked_at():
    found = look()
    assert found.cores >= 1
    assert found.system == sys.platform
    assert found.ram_total is None or found.ram_total > 0


def test_the_disk_of_a_folder_that_is_to_be_made_is_that_of_its_parent(machine):
    given = Sources(root=machine.root, system="linux", arch="x86_64", nvml=no_library, run=run, usable=1)
    assert look(machine.root / "models" / "blobs", given).disk_free is not None


def test_a_machine_that_tells_nothing_is_unknown_and_not_empty(tmp_path):
    found = look(
        tmp_path, Sources(root=tmp_path, system="linux", arch="riscv64", nvml=no_library, run=run, usable=3)
    )
    assert (found.ram_total, found.ram_available) == (None, None)
    assert (found.processor, found.cores, found.features) == ("riscv64", 3, ())


# ── NVIDIA ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@needs_cc
def test_nvidias_cards_are_asked_through_its_library(machine, nvml):
    found = machine(nvml=nvml())
    assert found.notes == ()
    assert found.gpus[0] == Gpu(
        name="NVIDIA GeForce RTX 4090", vendor="nvidia", total=24 * GIB, free=22 * GIB, driver="570.86.10"
    )
    assert [gpu.name for gpu in found.gpus] == ["NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 3060"]
    assert room_of(found).gpu == 44 * GIB


@needs_cc
@pytest.mark.parametrize(
    ("codes", "cards", "note"),
    [
        ({"SECOND": 15}, 1, "NVIDIA card 1 does not answer: GPU is lost; the card fell off its bus"),
        (
            {"MEMORY": 15},
            1,
            "NVIDIA GeForce RTX 3060 does not tell its memory: GPU is lost; the card fell off",
        ),
        ({"SECOND": 4}, 1, "NVIDIA card 1 does not answer: Insufficient Permissions; run as a user who may"),
        ({"INIT": 18}, 0, "version mismatch.; the driver was updated while it ran: restart the machine"),
        (
            {"INIT": 9},
            0,
            "NVIDIA's driver cannot be asked: Driver Not Loaded; load the driver: sudo modprobe nvidia",
        ),
        ({"COUNT": 999}, 0, "NVIDIA's cards cannot be counted: Unknown Error; nvidia-smi may tell more"),
        ({"OLD": 1}, 0, "NVIDIA's library lacks a function"),
    ],
    ids=str,
)
def test_a_card_that_fails_in_the_middle_is_one_line_and_the_others_stay(machine, nvml, codes, cards, note):
    found = machine(nvml=nvml(**codes))
    assert len(found.gpus) == cards
    (said,) = found.notes
    assert note in said


@needs_cc
def test_a_card_without_memory_of_its_own_shares_the_machines(machine, nvml):
    found = machine(nvml=nvml(MEMORY=3))
    shared = found.gpus[1]
    assert (shared.unified, shared.total, shared.free) == (True, 24 * GIB, 20 * GIB)


def test_something_else_by_the_librarys_name_is_no_card():
    assert nvidia_gpus(lambda: ctypes.CDLL(None)) == ((), ())


def test_a_system_without_such_a_library_has_no_such_card():
    assert nvidia_gpus(loader("darwin")) == ((), ())


@pytest.mark.parametrize(
    ("boxed", "fix"),
    [(False, "https://www.nvidia.com/drivers"), (True, "start the container with --gpus all")],
)
def test_a_card_on_the_bus_without_a_driver_is_named_with_the_way_out(machine, boxed, fix):
    bus = machine.root / "sys/bus/pci/devices/0000:01:00.0"
    write(bus, vendor="0x10de\n", **{"class": "0x030000\n"})
    if boxed:
        write(machine.root, **{"run__.containerenv": ""})
    (said,) = machine().notes
    assert "there is an NVIDIA card" in said
    assert fix in said


def test_an_nvidia_sound_device_is_no_card(machine):
    write(machine.root / "sys/bus/pci/devices/0000:01:00.1", vendor="0x10de\n", **{"class": "0x040300\n"})
    assert machine().notes == ()


# ── AMD ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def amd(root, card="card1", **facts):
    files = {
        "vendor": "0x1002\n",
        "device": "0x744c\n",
        "mem_info_vram_total": f"{24 * GIB}\n",
        "mem_info_vram_used": f"{GIB}\n",
    } | facts
    write(root / "sys/class/drm" / card / "device", **{name: text for name, text in files.items() if text})


def test_amds_cards_are_read_from_the_kernel(machine):
    amd(machine.root)
    amd(machine.root, "card0", product_name="Radeon RX 7600\n", mem_info_vram_used="")
    write(machine.root / "sys/class/drm/card2/device", vendor="0x8086\n")
    (machine.root / "sys/class/drm/card1-DP-1").mkdir()
    found = machine()
    assert found.notes == ()
    assert found.gpus == (
        Gpu(name="Radeon RX 7600", vendor="amd", total=24 * GIB),
        Gpu(name="AMD GPU 0x744c", vendor="amd", total=24 * GIB, free=23 * GIB),
    )


def test_rocm_smi_is_the_second_way(machine):
    amd(machine.root, mem_info_vram_total="")
    said = (
        '{"card0": {"Card Series": "Radeon RX 7900 XTX", "VRAM Total Memory (B)": "25753026560", '
        '"VRAM Total Used Memory (B)": "1000000"}}'
    )
    found = machine(run=lambda order: said if order[0] == "rocm-smi" else "")
    assert found.notes == ()
    assert found.gpus == (Gpu(name="Radeon RX 7900 XTX", vendor="amd", total=25753026560, free=25752026560),)


@pytest.mark.parametrize(
    "said", ["", "not JSON", "[]", '{"card0": {}}', '{"card0": {"VRAM Total Memory (B)": "?"}}']
)
def test_a_card_that_does_not_tell_its_memory_is_one_line(machine, said):
    amd(machine.root, mem_info_vram_total="")
    found = machine(run=lambda order: said)
    assert found.gpus == ()
    assert found.notes == ("AMD GPU 0x744c does not tell its memory: load its driver, sudo modprobe amdgpu",)


def test_no_permission_to_compute_is_one_line_with_the_command(machine, monkeypatch):
    amd(machine.root)
    write(machine.root, dev__kfd="")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    (said,) = machine().notes
    assert "no permission for /dev/kfd" in said
    assert "usermod -aG render,video" in said


# ── Apple, containers ────────────────────────────────────────────────────────────────────────────────────────────────

VM_STAT = """\
Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               65536.
Pages active:                            500000.
Pages inactive:                          131072.
Pages speculative:                            0.
Pages purgeable:                              0.
"""


@pytest.mark.parametrize(
    ("gib", "limit", "share"), [(16, "0", 16 * GIB * 2 // 3), (36, "", 27 * GIB), (36, "30720", 30 * GIB)]
)
def test_apples_chip_shares_the_memory(machine, gib, limit, share):
    answers = {
        "hw.memsize": str(gib * GIB),
        "machdep.cpu.brand_string": "Apple M3 Pro",
        "hw.physicalcpu": "11",
        "iogpu.wired_limit_mb": limit,
    }
    found = machine(
        system="darwin",
        arch="arm64",
        usable=11,
        run=lambda order: VM_STAT if order[0].endswith("vm_stat") else answers.get(order[-1], ""),
    )
    assert found.gpus == (Gpu(name="Apple M3 Pro", vendor="apple", total=share, unified=True),)
    assert (found.ram_total, found.ram_available, found.cores) == (gib * GIB, 3 * GIB, 11)
    assert room_of(found).unified


def test_a_mac_with_an_intel_processor_has_no_gpu_for_models(machine):
    assert machine(system="darwin", arch="x86_64", run=lambda order: "1000").gpus == ()


@pytest.mark.parametrize(
    ("files", "inside"),
    [
        ({"proc__version": "Linux version 5.15.0-microsoft-standard-WSL2"}, ("wsl",)),
        ({".dockerenv": ""}, ("container",)),
        ({"proc__1__environ": "PATH=/bin\0container=podman\0"}, ("container",)),
    ],
)
def test_a_container_and_wsl_are_noticed(machine, files, inside):
    write(machine.root, **files)
    assert machine().inside == inside


def test_a_containers_memory_limit_is_its_memory(machine):
    write(machine.root, **{"sys__fs__cgroup__memory.max": f"{8 * GIB}\n"})
    assert (machine().ram_total, machine().ram_available) == (8 * GIB, 8 * GIB)
    (machine.root / "sys/fs/cgroup/memory.max").write_text("max\n")
    assert machine().ram_total == 32 * GIB


@pytest.mark.parametrize(
    "order", [("no-such-program-at-all",), (sys.executable, "-c", "raise SystemExit(3)")]
)
def test_a_program_that_is_not_there_or_fails_says_nothing(order):
    assert run(order) == ""


def test_a_program_that_works_is_heard():
    assert run((sys.executable, "-c", "print(7)")) == "7"
