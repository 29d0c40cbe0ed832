"""One step a module, named by its revision."""
