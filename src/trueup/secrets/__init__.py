"""Opening of encrypted declarations (SOPS, SealedSecret, Vault, KMS): late, in memory, masked everywhere."""
