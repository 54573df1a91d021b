"""
Keeps processors from sleeping during a measurement.

On a virtual machine an idle processor is given back to the host, and each wake-up
waits until the host returns it: on a busy host for milliseconds, and the time is
charged to the process that wakes up. Such figures describe the host. A process that
may write to /dev/cpu_dma_latency can limit this delay (pm_qos_interface.rst of the
kernel's documentation), as long as the file is open.
"""
import struct

DEVICE = "/dev/cpu_dma_latency"
NO_DELAY_US = struct.pack("i", 0)


def keep_awake():
    """The open file, which the caller closes at the end; None if it is not allowed."""
    try:
        device = open(DEVICE, "wb", buffering=0)
        device.write(NO_DELAY_US)
    except OSError:
        return None
    return device
