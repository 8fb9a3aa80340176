"""Tests in a real browser, on a real JupyterLab."""
