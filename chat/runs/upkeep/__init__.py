"""What goes on beside the runs, for ever: packing, erasing, checkpoints."""
