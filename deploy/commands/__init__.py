"""Commands that belong to no single room, and the options that all commands share."""
