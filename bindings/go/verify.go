package verifier

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

var (
	oidQuote      = asn1.ObjectIdentifier{1, 2, 840, 113741, 1, 13, 1, 0}
	oidMerkleRoot = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 65230, 1, 1}
	oidRootOfV2   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 65230, 2, 1} // of a leaf without a quote
	oidGeneration = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 65230, 4, 1}
	oidInstance   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 65230, 4, 2}
	oidLogHead    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 65230, 4, 3}
	oidLogKey     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 65230, 4, 4}
	oidLineage    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 65230, 4, 5}
)

// Evidence is what a server showed.
type Evidence struct {
	Certificate []byte      // DER
	Manifest    []byte      // what GET /_enclave/manifest answers, over the same connection; nil: none
	Collateral  *Collateral // nil: none
	Log         *Log        // nil: none was asked for
	Fresh       *Fresh      // nil: none was asked for
	// Live says that a full TLS 1.3 handshake proved the certificate's key just now. Without it, the certificate's
	// extensions are worth nothing, unless the policy's issuer has signed them.
	Live bool
	Time time.Time // zero: now
}

type verification struct {
	*Result
	policy     *Policy
	evidence   *Evidence
	now        time.Time
	leaf       *certificate // nil: a quote alone
	isV2       bool         // the leaf has no quote: what its server made behind the handshake is judged
	expected   []byte       // ReportData of a quote alone, or of a server of version 2
	quote      *quote
	spkiHash   []byte // of the certificate's key; nil: it is not one to be judged
	pck, pckCA *certificate
	root       *certificate
	chainHolds bool
	platform   *platform
	hasDICE    bool
	dice       *dice  // nil: there is none, or something is wrong with it:
	diceWrong  string // that
	// The certificate has no other quote than the evidence's; the evidence holds, and so the extensions count.
	diceIsQuote, diceBound bool
	manifest               *manifest // once it is proven to be the certificate's configuration
}

// Verify judges what a server showed by a policy. The result is never nil.
func Verify(policy *Policy, evidence *Evidence) *Result {
	v := begin(policy, evidence)
	v.ofCertificate = true
	leaf, err := parseCertificate(evidence.Certificate)
	if err != nil {
		v.fail("certificate", "%v", err)
		return v.conclude()
	}
	v.leaf = leaf
	v.readDICE()
	v.checkCertificate()
	data, count := leaf.extension(oidQuote)
	v.diceIsQuote = count == 0 && v.dice != nil
	v.isV2 = leaf.isV2()
	switch {
	case v.isV2:
		v.checkOnlyFresh()
	case v.diceIsQuote:
		v.checkQuote(v.dice.quote)
	case count == 1:
		v.checkQuote(data)
	default:
		v.fail("quote", "the certificate does not carry exactly one SGX quote")
	}
	v.checkDICE()
	v.checkFresh()
	v.checkConfiguration()
	return v.conclude()
}

// isV2 says whether it is of a server of version 2: without a quote of one kind or the other, and saying what it says by the
// numbers of that version (docs/attestation.md).
func (c *certificate) isV2() bool {
	_, quotes := c.extension(oidQuote)
	_, evidences := c.extension(oidDICE)
	root, roots := c.extension(oidRootOfV2)
	generation, generations := c.extension(oidGeneration)
	return quotes == 0 && evidences == 0 && roots == 1 && len(root) == 32 && !(generations == 1 && len(generation) == 8)
}

func begin(policy *Policy, evidence *Evidence) *verification {
	v := &verification{Result: newResult(policy), policy: policy, evidence: evidence, now: evidence.Time}
	if v.now.IsZero() {
		v.now = time.Now()
	}
	return v
}

// ---- the certificate --------------------------------------------------------------------------------------------

func (v *verification) checkCertificate() {
	switch {
	case v.leaf.malformed:
		v.fail("certificate", "one of its extensions is malformed")
	case v.leaf.unknownCritical:
		v.fail("certificate", "it has an unknown critical extension")
	case v.leaf.key == nil:
		v.fail("certificate", "its key is not on P-256")
	default:
		digest := sha256.Sum256(v.leaf.spki)
		v.spkiHash = digest[:]
		v.pass("certificate", "well-formed, with a P-256 key")
	}
	if problem := timeProblem(v.leaf.notBefore, v.leaf.notAfter, v.now); problem != "" {
		v.fail("certificate time", "it %s", problem)
	} else {
		v.pass("certificate time", "within its time of validity, %v old", v.now.Sub(v.leaf.notBefore).Truncate(time.Minute))
	}
	v.checkLifetime()
	if v.policy.issuer == nil {
		v.skip("certificate issuer", "not pinned by the caller; the quote vouches for the key")
	} else if problem := v.leaf.signedBy(v.policy.issuer); problem != "" {
		v.fail("certificate issuer", "not under the pinned issuer: %s", problem)
	} else {
		v.pass("certificate issuer", "signed by the issuer that the caller pinned")
	}
}

// checkLifetime: NotAfter is not in the quote; who once got hold of an enclave's keys may make it what he likes.
func (v *verification) checkLifetime() {
	lifetime := v.leaf.notAfter.Sub(v.leaf.notBefore)
	switch most := v.policy.maxLifetime; {
	case most == 0:
		v.skip("certificate lifetime", "the caller has no maximum")
	case lifetime > most:
		v.fail("certificate lifetime", "%v, at most %v is expected", lifetime, most)
	default:
		v.pass("certificate lifetime", "%v, at most %v is expected", lifetime, most)
	}
}

// ---- the quote --------------------------------------------------------------------------------------------------

func (v *verification) checkQuote(data []byte) {
	q, err := parseQuote(data)
	if err != nil {
		v.fail("quote", "%v", err)
		return
	}
	v.pass("quote", "a well-formed DCAP version 3 quote")
	v.quote = q
	v.MRENCLAVE, v.MRSIGNER = q.body.mrenclave(), q.body.mrsigner()
	v.ProdID, v.SVN = q.body.prodID(), q.body.svn()
	v.Debug = q.body.flags()&flagDebug != 0
	v.checkChain()
	v.checkQuotingEnclave()
	v.checkCollateral()
	v.checkBinding()
	v.checkEnclave()
}

// intelRoot is the Intel SGX Root CA's public key (x, y), as in the certificate that Intel publishes.
var intelRoot, _ = hex.DecodeString("0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5" +
	"67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394")

func (c *certificate) hasIntelKey() bool {
	key := p256Key(intelRoot)
	return c.key != nil && key != nil && c.key.Equal(key)
}

func (v *verification) isPinned() bool {
	for _, pin := range v.policy.roots { // by key and name: a root may be reissued with the same key
		if v.root.key != nil && pin.key != nil && v.root.key.Equal(pin.key) && bytes.Equal(v.root.subject, pin.subject) {
			return true
		}
	}
	return false
}

func (v *verification) checkRoot() {
	v.Simulated = strings.Contains(v.root.commonName(), "SIMULATION")
	switch {
	case v.Simulated && !v.policy.allowSimulation:
		v.fail("root", "the chain ends in a simulation root, and simulation is not allowed")
	case v.policy.roots != nil && !v.isPinned():
		v.fail("root", "the chain ends in another root than the caller's")
	case v.policy.roots != nil && v.Simulated:
		v.pass("root", "pinned by the caller; a SIMULATION, not hardware")
	case v.policy.roots != nil:
		v.pass("root", "pinned by the caller")
	case v.Simulated:
		v.pass("root", "a SIMULATION root taken from the quote itself, allowed by the caller: proves nothing about "+
			"hardware, nor which machine it is (pin its root.pem for that)")
	case v.root.hasIntelKey():
		v.pass("root", "Intel SGX Root CA (built-in key)")
	default:
		v.fail("root", "the chain's root is neither Intel's nor a simulation's")
	}
}

func (v *verification) chainProblem() string {
	for _, pair := range [][2]*certificate{{v.pck, v.pckCA}, {v.pckCA, v.root}, {v.root, v.root}} {
		if problem := pair[0].signedBy(pair[1]); problem != "" {
			return problem
		}
	}
	if !v.pck.signsData() {
		return "the PCK certificate is not one that only signs data"
	}
	if v.root.pathLength == 0 {
		return "the root allows no CA below it"
	}
	return ""
}

func (v *verification) checkChain() {
	chain, err := readCertificates(v.quote.chain, 8)
	if err != nil || len(chain) != 3 {
		v.fail("pck chain", "the quote does not carry exactly PCK, PCK CA and root as certificates")
		return
	}
	v.pck, v.pckCA, v.root = chain[0], chain[1], chain[2]
	v.checkRoot()
	holds := v.judge("pck chain", v.chainProblem(), "PCK, PCK CA and root are signed by each other's keys")
	v.pass("pck chain time", "all three are in their time of validity")
	for i, name := range []string{"the root's certificate", "the PCK CA's certificate", "the PCK certificate"} {
		if problem := timeProblem(chain[2-i].notBefore, chain[2-i].notAfter, v.now); problem != "" {
			v.fail("pck chain time", "%s %s", name, problem)
		}
	}
	v.chainHolds = holds && v.passed("root")
	if v.platform, err = readPlatform(v.pck); err != nil {
		v.platform = nil
		v.fail("pck certificate", "%v", err)
		return
	}
	v.pass("pck certificate", "FMSPC %x, PCE id %x, PCESVN %d", v.platform.fmspc, v.platform.pceID, v.platform.pceSVN)
}

// problem is what judge wants: nothing, or what is wrong.
func problem(ok bool, what string) string {
	if ok {
		return ""
	}
	return what
}

func (v *verification) checkQuotingEnclave() {
	q := v.quote
	if v.pck != nil {
		v.judge("quoting enclave's report", problem(signatureHolds(v.pck.key, q.qeSignature, q.qeBody),
			"its signature is not the PCK key's"), "signed by the PCK key")
	}
	v.judge("attestation key", problem(q.bindsKey(), "is not the one in the quoting enclave's report"),
		"bound by the quoting enclave's report")
	v.judge("quoting enclave's mode", problem(q.qeBody.flags()&flagDebug == 0,
		"a debug enclave: its attestation key is not secret"), "not debug")
	v.judge("quote signature", problem(q.holds(), "is not the attestation key's"), "signed by the attestation key")
}

// checkBinding: what ReportData binds is the certificate's key and the minute of its NotBefore.
func (v *verification) checkBinding() {
	if v.leaf == nil {
		if bytes.Equal(v.expected, v.quote.body.reportData()) {
			v.pass("report data", "as the caller expects")
		} else {
			v.fail("report data", "not what the caller expects")
		}
		return
	}
	if v.spkiHash == nil {
		return
	}
	if v.diceIsQuote {
		v.checkClaimsBinding()
		return
	}
	if v.isV2 {
		v.judge("report data", problem(bytes.Equal(v.expected, v.quote.body.reportData()),
			"is not that of this certificate's key, the challenge and this connection"),
			"binds the certificate's key, a challenge behind the handshake and this connection")
		return
	}
	minute := v.leaf.notBefore.UTC().Format("2006-01-02T15:04Z")
	expected := sha512.Sum512(append(append([]byte(nil), v.spkiHash...), minute...))
	if bytes.Equal(expected[:], v.quote.body.reportData()) {
		v.pass("report data", "binds the certificate's key and the minute of its NotBefore")
	} else {
		v.fail("report data", "is not that of this certificate's key and NotBefore")
	}
}

// checkClaimsBinding: in place of the minute, the evidence's quote binds claims, which say it.
func (v *verification) checkClaimsBinding() {
	switch {
	case !v.dice.bindsTime:
		v.fail("report data", "is over claims that do not say when the certificate is valid")
	case !bytes.Equal(v.dice.reportData, v.quote.body.reportData()):
		v.fail("report data", "is not that of the claims of this certificate's evidence")
	default:
		v.pass("report data", "binds the claims about the certificate's key and times")
	}
}

func (v *verification) checkDebug() {
	switch flags := v.quote.body.flags(); {
	case flags&flagInit == 0:
		v.fail("debug", "the enclave was not initialised")
	case flags&flagDebug == 0:
		v.pass("debug", "not a debug enclave")
	case v.Simulated && v.policy.allowSimulation:
		v.pass("debug", "set, as always in a simulation, which the caller allowed")
	case v.policy.allowDebug:
		v.pass("debug", "a debug enclave, which the caller allowed")
	default:
		v.fail("debug", "a debug enclave: its host can read it")
	}
}

func contains(list [][]byte, one []byte) bool {
	for _, other := range list {
		if bytes.Equal(one, other) {
			return true
		}
	}
	return false
}

func (v *verification) checkEnclave() {
	p := v.policy
	v.checkDebug()
	switch {
	case p.mrenclaves == nil:
		v.skip("mrenclave", "%x (not pinned by the caller)", v.MRENCLAVE)
	case contains(p.mrenclaves, v.MRENCLAVE):
		v.pass("mrenclave", "%x", v.MRENCLAVE)
	case len(p.mrenclaves) == 1:
		v.fail("mrenclave", "%x, expected %x", v.MRENCLAVE, p.mrenclaves[0])
	default:
		v.fail("mrenclave", "%x is none of the %d expected ones", v.MRENCLAVE, len(p.mrenclaves))
	}
	v.compare("mrsigner", 0, hex.EncodeToString(v.MRSIGNER), p.mrsigner)
	v.compare("product id", 0, fmt.Sprint(v.ProdID), p.prodID)
	switch {
	case p.minSVN == nil:
		v.skip("security version", "%d (the caller has no minimum)", v.SVN)
	case v.SVN >= *p.minSVN:
		v.pass("security version", "%d, at least %d is expected", v.SVN, *p.minSVN)
	default:
		v.fail("security version", "%d, at least %d is expected", v.SVN, *p.minSVN)
	}
}

// compare holds what is against what is expected of it; nil: nothing is.
func (v *verification) compare(check string, index int, is string, expected *string) {
	switch {
	case expected == nil:
		v.set(check, index, NotChecked, "%s (not pinned by the caller)", is)
	case is != *expected:
		v.set(check, index, Failed, "%s, expected %s", is, *expected)
	default:
		v.set(check, index, Passed, "%s", is)
	}
}

// ---- the certificate's extensions -------------------------------------------------------------------------------

// bound says whether the certificate's extensions are the enclave's word: by a handshake that proves the attested key, whose
// holder chose this certificate, by DICE evidence, or by a signature of the enclave's own CA that the caller pinned.
func (v *verification) bound() bool {
	return v.evidence.Live || v.diceBound || v.passed("certificate issuer")
}

const unbound = "not bound (no live handshake, no pinned issuer)"

// read is the value of the only extension of that OID, if it has this size; else nil. Of version 2, whose numbers are others,
// the OIDs of version 1 stand for what they mean: the root has another one, and generation and instance have none.
func (v *verification) read(oid asn1.ObjectIdentifier, size int) []byte {
	switch {
	case v.isV2 && (oid.Equal(oidGeneration) || oid.Equal(oidInstance)):
		return nil
	case v.isV2 && oid.Equal(oidMerkleRoot):
		oid = oidRootOfV2
	}
	if data, count := v.leaf.extension(oid); count == 1 && len(data) == size {
		return data
	}
	return nil
}

func (v *verification) checkConfiguration() {
	if root := v.read(oidMerkleRoot, 32); root == nil {
		v.fail("configuration root", "the certificate does not carry exactly one root of 32 bytes")
	} else if v.MerkleRoot = root; v.bound() {
		v.pass("configuration root", "%x, vouched for by the handshake, the evidence or the issuer", root)
	} else {
		v.skip("configuration root", "%x; extensions: %s", root, unbound)
	}
	for i, e := range v.policy.extensions {
		v.checkExtension(i, e)
	}
	if len(v.policy.extensions) == 0 {
		v.skip("extension", "the caller expects none")
	}
	v.checkContents()
}

func (v *verification) checkExtension(index int, e expectedExtension) {
	data, count := v.leaf.extension(e.oid)
	outcome, reason := Failed, "has the expected value"
	switch {
	case count == 0:
		reason = "is missing"
	case count > 1:
		reason = "stands more than once"
	case !bytes.Equal(data, e.value):
		reason = "has another value than the caller expects"
	case !v.bound():
		reason = "has the expected value, but extensions are " + unbound
	default:
		outcome = Passed
		v.extensionNamesInstance = v.extensionNamesInstance || v.extensionIsInstance(e.oid)
	}
	v.set("extension", index, outcome, "%v %s", e.oid, reason)
}

// extensionIsInstance says whether nobody else's certificate has the same value there.
func (v *verification) extensionIsInstance(oid asn1.ObjectIdentifier) bool {
	if v.isV2 {
		return oid.Equal(oidRootOfV2)
	}
	return oid.Equal(oidMerkleRoot) || oid.Equal(oidInstance)
}

// twice is a value that both the certificate and the manifest have: from either, as far as it is bound.
type twice struct {
	value   []byte // nil: not known
	differs bool
}

func (v *verification) lookTwice(oid asn1.ObjectIdentifier, label string, size int) twice {
	var t twice
	if v.bound() {
		t.value = v.read(oid, size)
	}
	if v.manifest != nil {
		if leaf := v.manifest.sized(label, size); leaf != nil {
			t.differs = t.value != nil && !bytes.Equal(t.value, leaf)
			t.value = leaf
		}
	}
	return t
}

func bigEndian(data []byte) uint64 { return binary.BigEndian.Uint64(data) }
