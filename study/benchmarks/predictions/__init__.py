"""Files of answers in the forms of the kits, read and written; scores are for `kits`."""
