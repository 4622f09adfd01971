"""Training of networks on real images: epochs, losses, stacks of models, teachers."""
