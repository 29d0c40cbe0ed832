"""What AWS answered, kept as it was received: packed, indexed, named by digest, signed, and read again."""
