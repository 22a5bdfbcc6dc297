package verifier

import (
	"fmt"
	"strings"
	"time"
)

// Outcome of a check, in the words of `enclavectl verify --json`.
type Outcome string

const (
	Passed     Outcome = "passed"
	Failed     Outcome = "failed"
	NotChecked Outcome = "not checked"
)

// Verdict is what a verification comes to.
type Verdict string

const (
	Refused  Verdict = "refused"  // a check failed, or one that carries the conclusion was not made
	Genuine  Verdict = "genuine"  // nothing is wrong, but nothing says whose enclave it is
	Verified Verdict = "verified" // and it is the one that the policy pins
)

// Check is one of docs/verify.md. Reason is for people.
type Check struct {
	Name    string
	Outcome Outcome
	Reason  string

	demanded bool // the policy says what must hold: "not checked" is as bad as "failed"
}

// Result of a verification. What it says of the enclave is only as good as the checks.
type Result struct {
	Verdict Verdict
	// Checks are always all of docs/verify.md, in that order; "extension" and those of apps stand once for each that is
	// expected, at least once.
	Checks []Check

	MRENCLAVE, MRSIGNER []byte // nil: there is no readable quote
	ProdID, SVN         uint16
	Debug, Simulated    bool
	TCBStatus           Status // "" without collateral
	Advisories          []string
	CollateralUntil     time.Time // when the first document gets stale
	MerkleRoot          []byte    // of the configuration
	Instance            []byte    // nil: not known
	Generation          uint64    // with HasGeneration
	HasGeneration       bool
	LogSize             uint64 // of the head that the certificate carries, with LogRoot; 0: none
	LogRoot             []byte
	CheckpointSize      uint64 // of the head that the server showed, with CheckpointRoot; 0: none
	CheckpointRoot      []byte
	Cosigned            int // by how many of the policy's witnesses

	ofCertificate, hasCollateral bool
	extensionNamesInstance       bool
	administratorsNameInstance   bool
}

// weight says whether a result stands or falls with a check.
type weight int

const (
	optional      weight = iota // may be "not checked"
	always                      // must pass
	ofCollateral                // must pass once there is collateral
	ofCertificate               // must pass where a certificate is judged
)

var checks = []struct {
	name   string
	weight weight
}{
	{"certificate", ofCertificate},
	{"certificate time", ofCertificate},
	{"certificate lifetime", optional},
	{"certificate issuer", optional},
	{"quote", always},
	{"root", always},
	{"pck chain", always},
	{"pck chain time", always},
	{"pck certificate", always},
	{"quoting enclave's report", always},
	{"attestation key", always},
	{"quoting enclave's mode", always},
	{"quoting enclave's identity", ofCollateral},
	{"quote signature", always},
	{"collateral", optional},
	{"tcb info", ofCollateral},
	{"tcb info time", ofCollateral},
	{"qe identity", ofCollateral},
	{"qe identity time", ofCollateral},
	{"root crl", ofCollateral},
	{"root crl time", ofCollateral},
	{"pck crl", ofCollateral},
	{"pck crl time", ofCollateral},
	{"pck revocation", ofCollateral},
	{"signer revocation", ofCollateral},
	{"platform", ofCollateral},
	{"tcb status", ofCollateral},
	{"collateral freshness", optional},
	{"report data", ofCertificate},
	{"dice evidence", optional},
	{"fresh evidence", optional},
	{"debug", always},
	{"mrenclave", optional},
	{"mrsigner", optional},
	{"product id", optional},
	{"security version", optional},
	{"configuration root", optional},
	{"manifest", optional},
	{"instance", optional},
	{"generation", optional},
	{"log key", optional},
	{"log head", optional},
	{"log checkpoint", optional},
	{"log history", optional},
	{"log witnesses", optional},
	{"administrators", optional},
	{"upgrade rule", optional},
	{"lineage", optional},
	{"hand-over", optional},
	{"limits", optional},
	{"egress ca", optional},
	{"only apps", optional},
	{"extension", optional},
	{"app", optional},
	{"app publisher", optional},
	{"app identity", optional},
	{"app settings", optional},
	{"app egress", optional},
}

var weights = func() map[string]weight {
	m := map[string]weight{}
	for _, c := range checks {
		m[c.name] = c.weight
	}
	return m
}()

func ofApps(name string) bool { return name == "app" || strings.HasPrefix(name, "app ") }

func newResult(p *Policy) *Result {
	r := &Result{Verdict: Refused}
	for _, c := range checks {
		times := 1
		if c.name == "extension" {
			times = max(1, len(p.extensions))
		} else if ofApps(c.name) {
			times = max(1, len(p.apps))
		}
		for i := range times {
			r.Checks = append(r.Checks, Check{c.name, NotChecked, "not reached: what it builds on does not hold", p.demands(c.name, i)})
		}
	}
	return r
}

// check is the index'th record of a check.
func (r *Result) check(name string, index int) *Check {
	for i := range r.Checks {
		if r.Checks[i].Name == name {
			return &r.Checks[i+index]
		}
	}
	panic("verifier: no check " + name)
}

// set writes a record down. A peer's words may stand in it: nothing that a terminal obeys.
func (r *Result) set(name string, index int, outcome Outcome, format string, arguments ...any) {
	c := r.check(name, index)
	c.Outcome = outcome
	c.Reason = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, fmt.Sprintf(format, arguments...))
	if len(c.Reason) > 511 {
		c.Reason = c.Reason[:511]
	}
}

func (r *Result) pass(name, format string, arguments ...any) {
	r.set(name, 0, Passed, format, arguments...)
}
func (r *Result) fail(name, format string, arguments ...any) {
	r.set(name, 0, Failed, format, arguments...)
}
func (r *Result) skip(name, format string, arguments ...any) {
	r.set(name, 0, NotChecked, format, arguments...)
}

// judge passes a check without a problem, and else fails it for that.
func (r *Result) judge(name, problem, good string) bool {
	if problem != "" {
		r.fail(name, "%s", problem)
	} else {
		r.pass(name, "%s", good)
	}
	return problem == ""
}

func (r *Result) passed(name string) bool { return r.check(name, 0).Outcome == Passed }
func (r *Result) failed(name string) bool { return r.check(name, 0).Outcome == Failed }

func (r *Result) holds() bool {
	for _, c := range r.Checks {
		must := c.demanded
		switch weights[c.Name] {
		case always:
			must = true
		case ofCertificate:
			must = must || r.ofCertificate
		case ofCollateral:
			must = must || r.hasCollateral
		}
		if c.Outcome == Failed || (c.Outcome != Passed && must) {
			return false
		}
	}
	return true
}

// conclude: a certificate under the CA comes from who has its key; everything else is what some program says of itself.
func (r *Result) conclude() *Result {
	program := r.passed("mrenclave") || r.passed("mrsigner")
	whose := r.passed("instance") || r.administratorsNameInstance || r.extensionNamesInstance
	switch {
	case !r.holds():
		r.Verdict = Refused
	case r.passed("certificate issuer") || (program && whose):
		r.Verdict = Verified
	default:
		r.Verdict = Genuine
	}
	return r
}

// Failures are the checks that failed, a line each.
func (r *Result) Failures() string {
	var lines []string
	for _, c := range r.Checks {
		if c.Outcome == Failed || (c.Outcome == NotChecked && c.demanded) {
			lines = append(lines, c.Name+": "+c.Reason)
		}
	}
	return strings.Join(lines, "\n")
}

// Error is a server that was refused, or of whom nobody knows whose it is.
type Error struct{ Result *Result }

func (e *Error) Error() string {
	if text := e.Result.Failures(); text != "" {
		return "the enclave is not the one that is expected: " + strings.ReplaceAll(text, "\n", "; ")
	}
	return "the enclave is genuine, but nothing says whose it is"
}
