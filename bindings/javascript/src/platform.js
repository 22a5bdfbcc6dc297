/**
 * Intel's SGX extension of a PCK certificate (OID 1.2.840.113741.1.13.1), by "Intel SGX PCK Certificate and CRL Profile
 * Specification": a sequence of pairs {OID, value}, none of which stands twice; the TCB is itself such a sequence.
 */
import { readDer } from "./der.js";
import { Malformed, malformed } from "./malformed.js";

const OID = "1.2.840.113741.1.13.1";

/** The values by the last arc of their OID, which stands below prefix. */
function readPairs(list, prefix, most) {
  const found = new Map();
  for (const pair of list) {
    const [oid, value, ...more] = pair.sequence();
    const name = oid?.oid() ?? "";
    const last = name.startsWith(`${prefix}.`) ? name.slice(prefix.length + 1) : "";
    const arc = /^[0-9]{1,2}$/.test(last) ? Number(last) : 0;
    if (!(arc >= 1 && arc <= most) || !value || more.length > 0 || found.has(arc)) malformed("a pair that is none");
    found.set(arc, value);
  }
  return found;
}

function octets(value, size) {
  const bytes = value.octets();
  return bytes.length === size ? bytes : malformed("a value of another size");
}

function readExtension(value) {
  const pairs = readPairs(readDer(value).sequence(), OID, 31);
  for (const arc of [2, 3, 4]) if (!pairs.has(arc)) malformed("a pair is missing");
  const tcb = readPairs(pairs.get(2).sequence(), `${OID}.2`, 18);
  if (tcb.size !== 18) malformed("a pair is missing");
  octets(tcb.get(18), 16);
  const components = Uint8Array.from({ length: 16 }, (_, i) => {
    const number = tcb.get(i + 1).small();
    return number <= 0xff ? number : malformed("a component above 255");
  });
  return { fmspc: octets(pairs.get(4), 6), pceId: octets(pairs.get(3), 2), components, pceSvn: tcb.get(17).small() };
}

/** What the PCK certificate says of its platform. Throws Malformed. @param {import("./x509.js").Certificate} pck */
export function readPlatform(pck) {
  const { count, value } = pck.extension(OID);
  if (!value) malformed(count > 0 ? "it has more than one SGX extension" : "it has no SGX extension");
  try {
    return readExtension(value);
  } catch (error) {
    throw error instanceof Malformed ? new Malformed("its SGX extension is malformed") : error;
  }
}
