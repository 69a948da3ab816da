"""What this machine does: hardware, speed, memory."""
