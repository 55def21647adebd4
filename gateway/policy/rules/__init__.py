"""Check the rules of an environment against its catalog and agents, and compile them into the data of a bundle."""
