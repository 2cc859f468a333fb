"""The simulated world: a host that truly sleeps, real peers, a real Home Assistant."""
