"""The journal: durable records before effects (DESIGN section 8)."""
