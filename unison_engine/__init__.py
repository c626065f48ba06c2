"""The engine: bundles, tasks and the live host. Runs on numpy and onnxruntime; knows nothing of torch."""
