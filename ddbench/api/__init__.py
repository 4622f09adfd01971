"""Functions of the Python API, one module a task; users import them from ``ddbench`` itself."""
