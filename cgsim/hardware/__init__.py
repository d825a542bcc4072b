"""Devices, threads, memory and compilers."""
