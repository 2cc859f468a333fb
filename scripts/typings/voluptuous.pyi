# Home Assistant installs probatio under the name of voluptuous; type checkers have to be told.
from probatio import *
