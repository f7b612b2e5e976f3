"""How the kits score: one rule for each benchmark and version of a kit, which every score names."""
