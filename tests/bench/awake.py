"""
Processors kept from sleeping while it is measured.

On a virtual machine an idle processor is handed back to the host, and every
wake-up waits until the host gives it one again: on a busy host for milliseconds,
and at a cost that is charged to whoever wakes. The figures then are the host's.
Linux lets whoever may write to /dev/cpu_dma_latency say which delay is too much
(Documentation/power/pm_qos_interface.rst of the kernel); it holds as long as the
file is open.
"""
import struct

DEVICE = "/dev/cpu_dma_latency"
NO_DELAY_US = struct.pack("i", 0)


def keep_awake():
    """The open file, to be closed at the end; None if it is not allowed."""
    try:
        device = open(DEVICE, "wb", buffering=0)
        device.write(NO_DELAY_US)
    except OSError:
        return None
    return device
