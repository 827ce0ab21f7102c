"""What `mt-benchmark` measures, one thing a file; `timing` holds how."""
