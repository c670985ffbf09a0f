"""The runner of ML Programs, op by op against coremltools and torch, and on real nets."""
