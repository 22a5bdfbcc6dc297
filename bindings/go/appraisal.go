package verifier

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// What collateral says: signed by whom, valid when, about which platform, who is revoked, and at which TCB level the
// platform and its quoting enclave are. Rules: Intel's "DCAP ECDSA Quote Verification".

type appraisal struct {
	*verification
	info                *tcbInfo    // nil: malformed
	identity            *qeIdentity // nil: malformed
	tcbSigner, qeSigner *certificate
}

func (v *verification) staleAfter(until time.Time) {
	if v.CollateralUntil.IsZero() || until.Before(v.CollateralUntil) {
		v.CollateralUntil = until
	}
}

var ofDocuments = []string{"tcb info", "tcb info time", "qe identity", "qe identity time", "root crl", "root crl time", "pck crl",
	"pck crl time", "pck revocation", "signer revocation", "platform", "tcb status", "collateral freshness"}

func (v *verification) checkCollateral() {
	c := v.evidence.Collateral
	if c == nil {
		if v.policy.requireCollateral {
			v.fail("collateral", "none was given, and the caller requires it")
		} else {
			v.skip("collateral", "none was given: revocation and TCB level are unknown")
		}
		for _, name := range ofDocuments {
			v.skip(name, "needs collateral")
		}
		if v.policy.minEvaluation > 0 {
			v.fail("collateral freshness", "needs collateral, and none was given")
		}
		v.checkKnownIdentity()
		return
	}
	v.hasCollateral = true
	if missing := c.missing(); missing != "" {
		v.fail("collateral", "missing: %s", missing)
		return
	}
	v.pass("collateral", "all six documents are there")
	if v.chainHolds {
		(&appraisal{verification: v}).appraise(c)
	}
}

// checkKnownIdentity: on hardware a PCK certifies whatever enclave has the provisioning attribute, which a machine's owner
// can give to one of his own; that it is Intel's must be checked also when there is no collateral.
func (v *verification) checkKnownIdentity() {
	signer, _ := hex.DecodeString("8c4f5775d796503e96137f77c68a829a0056ac8ded70140b081b094490c57bff")
	b := v.quote.qeBody
	if v.Simulated {
		v.skip("quoting enclave's identity", "simulated in the host; its identity needs collateral")
	} else if bytes.Equal(b.mrsigner(), signer) && b.prodID() == 1 {
		v.pass("quoting enclave's identity", "Intel's quoting enclave (built-in signer and product)")
	} else {
		v.fail("quoting enclave's identity", "not Intel's quoting enclave")
	}
}

func (a *appraisal) appraise(c *Collateral) {
	var err error
	if a.info, err = readTCBInfo(c.TCBInfo); err != nil {
		a.info = nil
		a.fail("tcb info", "malformed: %v", err)
	} else {
		a.tcbSigner = a.checkDocument(&a.info.document, c.TCBInfoChain, "tcb info")
	}
	if a.identity, err = readQEIdentity(c.QEIdentity); err != nil {
		a.identity = nil
		a.fail("qe identity", "malformed: %v", err)
	} else {
		a.qeSigner = a.checkDocument(&a.identity.document, c.QEIdentityChain, "qe identity")
	}
	rootList := a.checkList(c.RootCRL, a.root, "root crl")
	pckList := a.checkList(c.PCKCRL, a.pckCA, "pck crl")
	a.checkRevocation(rootList, pckList)
	if a.passed("qe identity") {
		a.checkIdentity()
	}
	if a.passed("tcb info") && a.passed("qe identity") {
		a.checkFreshness()
	}
	if a.passed("tcb info") && a.platform != nil && a.checkPlatform() && a.passed("qe identity") {
		a.checkStatus()
	}
}

// ---- documents --------------------------------------------------------------------------------------------------

// signerOf is the first of exactly two in its chain, issued by the very root of the quote; or what is wrong.
func (a *appraisal) signerOf(pem []byte) (*certificate, string) {
	chain, err := readCertificates(pem, 8)
	if err != nil || len(chain) != 2 {
		return nil, "its chain is not exactly a signer and a root"
	}
	if problem := chain[0].signedBy(a.root); problem != "" {
		return nil, problem
	}
	if !chain[0].signsData() {
		return nil, "its signer's certificate is not one that only signs data"
	}
	return chain[0], ""
}

func (a *appraisal) checkDocument(d *document, chain []byte, name string) *certificate {
	signer, problem := a.signerOf(chain)
	if problem == "" && !signatureHolds(signer.key, d.signature, d.inner.raw) {
		problem = "it is not signed by its signer's key"
	}
	a.judge(name, problem, "signed under the root")
	a.staleAfter(d.nextUpdate)
	if problem := timeProblem(d.issued, d.nextUpdate, a.now); problem != "" {
		a.fail(name+" time", "the document %s", problem)
	} else if signer != nil && timeProblem(signer.notBefore, signer.notAfter, a.now) != "" {
		a.fail(name+" time", "the signer's certificate %s", timeProblem(signer.notBefore, signer.notAfter, a.now))
	} else {
		a.pass(name+" time", "valid until %s", formatTime(d.nextUpdate))
	}
	return signer
}

// ---- revocation -------------------------------------------------------------------------------------------------

func (a *appraisal) checkList(data []byte, issuer *certificate, name string) *revocationList {
	l := parseList(data)
	if l == nil {
		a.fail(name, "it is neither DER, hexadecimal nor PEM")
		return nil
	}
	a.judge(name, l.problem(issuer), "signed by its issuer")
	if l.until.IsZero() {
		return l
	}
	a.staleAfter(l.until)
	if problem := timeProblem(l.from, l.until, a.now); problem != "" {
		a.fail(name+" time", "the list %s", problem)
	} else {
		a.pass(name+" time", "valid until %s", formatTime(l.until))
	}
	return l
}

func (a *appraisal) checkRevocation(rootList, pckList *revocationList) {
	if !a.passed("root crl") {
		return
	}
	if a.passed("pck crl") {
		switch {
		case rootList.has(a.root):
			a.fail("pck revocation", "the root's certificate is revoked")
		case rootList.has(a.pckCA):
			a.fail("pck revocation", "the PCK CA's certificate is revoked")
		case pckList.has(a.pck):
			a.fail("pck revocation", "the PCK certificate is revoked: this platform is not to be trusted")
		default:
			a.pass("pck revocation", "none of the three is in a list")
		}
	}
	if !a.passed("tcb info") || !a.passed("qe identity") {
		return
	}
	switch {
	case rootList.has(a.tcbSigner):
		a.fail("signer revocation", "the signer of the TCB info is revoked")
	case rootList.has(a.qeSigner):
		a.fail("signer revocation", "the signer of the QE identity is revoked")
	default:
		a.pass("signer revocation", "neither is in the root's list")
	}
}

// ---- what they are about ----------------------------------------------------------------------------------------

func equalMasked(actual, expected, mask []byte) bool {
	for i := range mask {
		if actual[i]&mask[i] != expected[i]&mask[i] {
			return false
		}
	}
	return true
}

func (a *appraisal) checkIdentity() {
	b, q := a.quote.qeBody, a.identity
	problem := ""
	switch {
	case !bytes.Equal(b.mrsigner(), q.mrsigner):
		problem = "its MRSIGNER is not the one in the QE identity"
	case b.prodID() != q.prodID:
		problem = "its ISVPRODID is not the one in the QE identity"
	case !equalMasked(b.miscselect(), q.miscselect, q.miscselectMask):
		problem = "its MISCSELECT is not the one in the QE identity"
	case !equalMasked(b.attributes(), q.attributes, q.attributesMask):
		problem = "its ATTRIBUTES are not those in the QE identity"
	}
	a.judge("quoting enclave's identity", problem, "as the QE identity says")
}

// checkFreshness: two documents may both be valid by their dates; which knows of more is said by their number alone.
func (a *appraisal) checkFreshness() {
	least, tcb, qe := a.policy.minEvaluation, a.info.evaluation, a.identity.evaluation
	switch {
	case least == 0:
		a.skip("collateral freshness", "%d and %d (the caller has no minimum)", tcb, qe)
	case tcb >= least && qe >= least:
		a.pass("collateral freshness", "%d and %d, at least %d is expected", tcb, qe, least)
	default:
		a.fail("collateral freshness", "the TCB info is number %d, the QE identity %d; at least %d is expected", tcb, qe, least)
	}
}

func (a *appraisal) checkPlatform() bool {
	switch p := a.platform; {
	case !bytes.Equal(p.fmspc, a.info.fmspc):
		a.fail("platform", "the TCB info is about FMSPC %x, the platform is %x", a.info.fmspc, p.fmspc)
	case !bytes.Equal(p.pceID, a.info.pceID):
		a.fail("platform", "the TCB info is about PCE id %x, the platform has %x", a.info.pceID, p.pceID)
	default:
		a.pass("platform", "FMSPC %x", p.fmspc)
	}
	return a.passed("platform")
}

// highest is the highest of the levels that are met, whatever their order; nil: none is.
func highest(levels []level, meets func(*level) bool, compare func(a, b *level) int) *level {
	var best *level
	for i := range levels {
		if meets(&levels[i]) && (best == nil || compare(&levels[i], best) > 0) {
			best = &levels[i]
		}
	}
	return best
}

// converge: a quoting enclave that is out of date or revoked brings the platform's status down, any other does not.
func converge(platform, quoting Status) Status {
	if platform == Revoked || quoting == Revoked {
		return Revoked
	}
	if quoting != OutOfDate && quoting != OutOfDateConfigurationNeeded {
		return platform
	}
	switch platform {
	case UpToDate, SWHardeningNeeded, OutOfDate:
		return OutOfDate
	}
	return OutOfDateConfigurationNeeded
}

func (a *appraisal) checkStatus() {
	platform := highest(a.info.levels, a.platform.meets, compareLevels)
	quoting := highest(a.identity.levels, func(l *level) bool { return a.quote.qeBody.svn() >= l.isvSVN },
		func(x, y *level) int { return int(x.isvSVN) - int(y.isvSVN) })
	if platform == nil {
		a.fail("tcb status", "the platform is below every level of the TCB info")
		return
	}
	if quoting == nil {
		a.fail("tcb status", "the quoting enclave is below every level of the QE identity")
		return
	}
	a.TCBStatus = converge(platform.status, quoting.status)
	for _, id := range append(append([]string(nil), platform.advisories...), quoting.advisories...) {
		if !slices.Contains(a.Advisories, id) {
			a.Advisories = append(a.Advisories, id)
		}
	}
	advisories := ""
	if len(a.Advisories) > 0 {
		advisories = "; advisories: " + strings.Join(a.Advisories, ", ")
	}
	outcome, refused := Passed, ""
	if !a.policy.accepts(a.TCBStatus) {
		outcome, refused = Failed, ", which the caller does not accept"
	}
	a.set("tcb status", 0, outcome, "%s%s (platform %s, level of %s; quoting enclave %s)%s", a.TCBStatus, refused,
		platform.status, platform.date.Format("2006-01-02"), quoting.status, advisories)
}
