"""What all trainings share: trainer, schedules, moving average, losses, curves, folds."""
