"""Devices that networks run on: what a network costs there, without running it there.

A device is a symbol in the program's argument `accelerator`. Training ignores it; the costs
`latency_ms`, `energy_mj`, `area_mm2` and `utilization` ask it. See `docs/hardware.md`.
"""
