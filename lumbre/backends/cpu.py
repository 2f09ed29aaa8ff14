"""``torch.backends.cpu``."""

from __future__ import annotations


def get_cpu_capability() -> str:
    """Which instructions the kernels use: "AVX512", "AVX2" or "DEFAULT"."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            flags = next((line.split() for line in file if line.startswith("flags")), [])
    except OSError:
        return "DEFAULT"
    if {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= set(flags):
        return "AVX512"
    return "AVX2" if {"avx2", "fma", "bmi2"} <= set(flags) else "DEFAULT"
