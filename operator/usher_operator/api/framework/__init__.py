"""A route as data: the server and the OpenAPI document are made from it."""
