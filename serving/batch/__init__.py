"""Any number of memes: shards of an input through the models into files, by command or for the Batch page."""
