"""Training of evaluation networks: training sets, batches, losses, checkpoints."""
