"""Jobs: the queue, as a stateless worker uses it over HTTP."""
