"""`/openapi/v2`: one document of everything that is served, as JSON and as the protobuf message that Go clients ask for."""
