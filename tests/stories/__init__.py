"""Stories told by the real Home Assistant, in network namespaces of their own."""
