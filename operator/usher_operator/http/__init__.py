"""HTTP servers: connections, errors and health, the same for the API and for callbacks."""
