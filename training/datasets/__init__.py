"""The data sets by name, one file each, with one way to load them: `registry.get(NAME).load(split, folder)`."""
