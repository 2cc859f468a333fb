"""The demo: the main job of the integration, on this machine alone, with real peers."""
