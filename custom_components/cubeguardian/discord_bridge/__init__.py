"""Talk on Discord: what is shown there, how it is sent, and who may ask for what.

Import from its files: what needs discord.py must not be loaded with the rest.
"""
