"""From conditioning to a wave with onnxruntime and numpy."""
