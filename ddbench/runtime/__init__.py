"""Runtime: devices, compilation, memory, processes and ranks."""
