"""What goes on beside the runs, for ever: packing, sealing, erasing, retention, checkpoints."""
