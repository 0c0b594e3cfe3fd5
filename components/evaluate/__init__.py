"""The parts of the page Evaluation: metrics, curves, published results, studies, test suites."""
