"""Put this folder on PYTHONPATH to profile every process: see sitecustomize.py."""
