package verifier

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzParsers: what reads strangers' bytes ends, whatever they are.
func FuzzParsers(f *testing.F) {
	paths, _ := filepath.Glob(filepath.Join(vectorFolder, "good-*.json"))
	for _, path := range paths {
		data, _ := os.ReadFile(path)
		v := &vector{}
		if json.Unmarshal(data, v) != nil {
			f.Fatal(path)
		}
		f.Add(v.Certificate)
		f.Add([]byte(v.Policy))
		for _, files := range []map[string][]byte{v.Collateral, v.Log} {
			for _, file := range files {
				f.Add(file)
			}
		}
		if v.Manifest != nil {
			f.Add([]byte(*v.Manifest))
		}
		if leaf, err := parseCertificate(v.Certificate); err == nil {
			quote, _ := leaf.extension(oidQuote)
			evidence, _ := leaf.extension(oidDICE)
			f.Add(quote)
			f.Add(evidence)
		}
	}
	for _, text := range []string{exampleKeys, "0140c80401610162036162630000"} {
		data, _ := hex.DecodeString(text)
		f.Add(data)
	}
	f.Add([]byte(`{"format":"enclave-os-ohttp-keys/1","certificate":"AA","keys":"AA","signature":"AA"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		parse(data)
	})
}

func parse(data []byte) {
	readKeyList(data)
	readShown(data)
	readBinary(data)
	if c, err := parseCertificate(data); err == nil {
		c.formProblem()
		c.commonName()
		c.lineage()
		readPlatform(c)
	}
	if q, err := parseQuote(data); err == nil {
		q.bindsKey()
		readCertificates(q.chain, 8)
	}
	if l := parseList(data); l != nil {
		l.problem(&certificate{})
	}
	if d, err := parseDICE(data); err == nil {
		d.contradiction(&certificate{})
	}
	readTCBInfo(data)
	readQEIdentity(data)
	if m, err := readManifest(data); err == nil {
		m.agrees()
		m.threshold()
		for _, label := range m.labels {
			m.administratorOf(label)
			m.rule(strings.TrimPrefix(label, "rule:"))
		}
	}
	if n, err := parseNote(data); err == nil {
		n.checkpoint()
	}
	ParsePolicy(data)
	isHandOver(data)
	(&Fresh{Answer: data}).quote()
}

// Claims are CBOR of definite lengths and shortest forms, none of ours twice, and nothing behind them.
func TestClaims(t *testing.T) {
	hash := strings.Repeat("h", 32)
	pair := "\x6bpubkey-hash\x58\x24\x82\x01\x58\x20" + hash
	for text, good := range map[string]bool{
		"\xa1" + pair: true, "\xa2" + pair + "\x65nonce\x43any": true, "\xa2\x65nonce\x40" + pair: true,
		"\xa3\x61a\x40\x61a\x40" + pair: true, "": false, "\xbf" + pair + "\xff": false, "\xb8\x01" + pair: false, "\xa0": false,
		"\xa1\x65nonce\x43any": false, "\xa2" + pair + pair: false, "\xa1" + pair + "\x00": false, "\xa2" + pair: false,
		"\xa2" + pair + "\x01\x43any": false, "\xa2" + pair + "\x65nonce\x63any": false, "\xa2" + pair + "\x61\xff\x40": false,
		"\xa2" + pair + "\x65nonce\x5b\xff\xff\xff\xff\xff\xff\xff\xff": false,
		"\xa2" + pair + "\x69not-after\x471234567":                      false, "\xb8\x21" + pair: false,
	} {
		d := &dice{claims: map[string][]byte{}}
		if err := d.readClaims([]byte(text)); (err == nil) != good {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	for _, size := range []int{diceMin - 1, diceMax + 1} {
		if _, err := parseDICE(make([]byte, size)); err == nil || !strings.Contains(err.Error(), "shorter or longer") {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// A quote of real hardware with Intel's own collateral, under the root that is built in: tests/interop/golang.sh has them from the
// crate of another verifier.
func TestRealQuote(t *testing.T) {
	folder := os.Getenv("REAL_QUOTE")
	if folder == "" {
		t.Skip("tests/interop/golang.sh runs it")
	}
	quote, err := os.ReadFile(filepath.Join(folder, "sgx_quote"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(folder, "sgx_quote_collateral.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]string
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	// as it was served before the crate took it apart
	signed := func(name, member string) []byte {
		return []byte(`{"` + name + `":` + c[member] + `,"signature":"` + c[member+"_signature"] + `"}`)
	}
	collateral := &Collateral{signed("tcbInfo", "tcb_info"), []byte(c["tcb_info_issuer_chain"]),
		signed("enclaveIdentity", "qe_identity"), []byte(c["qe_identity_issuer_chain"]), []byte(c["root_ca_crl"]), []byte(c["pck_crl"])}
	judge := func(policy, day string, quote []byte) *Result {
		now, _ := time.Parse(time.DateOnly, day)
		v := begin(policyOf(t, policy), &Evidence{Collateral: collateral, Time: now})
		if q, err := parseQuote(quote); err == nil {
			v.expected = q.body.reportData()
		}
		v.checkQuote(quote)
		return v.conclude()
	}
	accepted := `,"allow_debug":true,"collateral":{"accept_tcb":["ConfigurationAndSWHardeningNeeded"]}`
	r := judge(accepted, "2025-06-25", quote)
	if r.Verdict != Genuine || r.TCBStatus != ConfigurationAndSWHardeningNeeded || !r.passed("root") || r.Simulated {
		t.Errorf("%s, %s: %s", r.Verdict, r.TCBStatus, r.Failures())
	}
	if r = judge("", "2025-06-25", quote); !r.failed("tcb status") {
		t.Errorf("strictly: %s", r.Failures())
	}
	if r = judge(accepted, "2025-06-18", quote); !r.failed("tcb info time") {
		t.Errorf("too early: %s", r.Failures())
	}
	if r = judge(accepted, "2025-08-01", quote); !r.failed("qe identity time") || !r.failed("pck crl time") {
		t.Errorf("too late: %s", r.Failures())
	}
	for at, check := range map[int]string{112: "quote signature", 368: "quote signature", 436: "quote signature", 500: "attestation key",
		948: "quoting enclave's report"} {
		damaged := slices.Clone(quote)
		damaged[at] ^= 1
		if r = judge(accepted, "2025-06-25", damaged); !r.failed(check) {
			t.Errorf("byte %d: %s", at, hex.EncodeToString(damaged[at:at+4]))
		}
	}
}
