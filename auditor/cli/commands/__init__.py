"""One command a module, which defines `command`; the module's name is the command's."""
