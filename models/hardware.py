"""What this machine's processor can do: its instruction set, and whether bfloat16 is emulated."""

from __future__ import annotations

import functools
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


@functools.cache
def processor_flags() -> frozenset[str]:
    """The processor's features as Linux names them; none where the system does not tell."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    named = (line.partition(":") for line in lines)
    return frozenset(
        flag
        for key, _, value in named
        if key.strip() in ("flags", "Features")  # x86, ARM
        for flag in value.split()
    )


def instruction_set() -> str:
    """The widest vectors there are: `avx512`, `avx2`, or `other`."""
    flags = processor_flags()
    if "avx512f" in flags:
        return "avx512"
    return "avx2" if "avx2" in flags else "other"


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; emulated, it is 10 to 20 times slower."""
    return bool(processor_flags() & {"avx512_bf16", "amx_bf16", "bf16"})
