"""One declaration a task: its data set, columns, targets, metrics, best model and title."""
