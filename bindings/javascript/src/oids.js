/** Extensions of the certificate (docs/attestation.md). */
export const OID_QUOTE = "1.2.840.113741.1.13.1.0"; // the quote, raw
export const OID_DICE = "2.23.133.5.4.9"; // DICE evidence
export const OID_MERKLE_ROOT = "1.3.6.1.4.1.65230.1.1"; // the configuration's root, 32 bytes
export const OID_V2_MERKLE_ROOT = "1.3.6.1.4.1.65230.2.1"; // the same, of a leaf without a quote
export const OID_GENERATION = "1.3.6.1.4.1.65230.4.1"; // its number, 8 bytes, big endian
export const OID_INSTANCE = "1.3.6.1.4.1.65230.4.2"; // 32 bytes
export const OID_LOG_HEAD = "1.3.6.1.4.1.65230.4.3"; // the log's size, 8 bytes, big endian, and root, 32 bytes
export const OID_LOG_KEY = "1.3.6.1.4.1.65230.4.4"; // 32 bytes: Ed25519
export const OID_LINEAGE = "1.3.6.1.4.1.65230.4.5"; // 32 bytes for each image that had the instance before
