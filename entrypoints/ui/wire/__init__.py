"""Read request and response bodies, limit them and pass them on."""
