"""The REST API under `/api/v1`: the same services and questions as the pages."""
