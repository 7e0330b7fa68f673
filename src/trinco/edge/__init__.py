"""LISTENERS FOR STRANGERS: authoritative DNS and the policy host. No ORM, no Django."""
