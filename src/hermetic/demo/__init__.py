"""The demo: real MNIST, a real classifier, real encryption; everything but the terminal (:mod:`hermetic.cli.demo`)."""
