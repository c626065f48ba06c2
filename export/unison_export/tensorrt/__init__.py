"""From the graphs of a bundle to TensorRT engines."""
