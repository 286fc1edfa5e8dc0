//! Docker and containerd as state machines that emit commands, over the model and a real pool alike.
