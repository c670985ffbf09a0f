"""What the file formats need beside their converters: proofs, patches and reproducible packages."""
