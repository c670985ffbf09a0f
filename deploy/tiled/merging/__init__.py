"""The steps of a merge: pairs of boxes that match, groups of boxes that become one, boxes that grow."""
