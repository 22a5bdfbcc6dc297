package verifier

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Certificates are judged one step at a time, since each step is a check of its own; crypto/x509 answers with one verdict,
// and refuses some certificates that are to be judged. Signatures and keys are the standard library's.

var (
	oidECDSAWithSHA256  = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidCommonName       = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidCRLPoints        = asn1.ObjectIdentifier{2, 5, 29, 31}
	// Critical ones that limit what is not asked here: names, policies, purposes in TLS.
	understood = []asn1.ObjectIdentifier{oidBasicConstraints, oidKeyUsage, oidCRLPoints, {2, 5, 29, 17}, {2, 5, 29, 32}, {2, 5, 29, 37}}
)

const (
	usageSignature = 0
	usageCertSign  = 5
	usageCRLSign   = 6
)

type certificate struct {
	raw, tbs        []byte
	version         int
	serial          *big.Int
	issuer, subject []byte // DER
	notBefore       time.Time
	notAfter        time.Time
	spki            []byte
	key             *ecdsa.PublicKey // nil: not on P-256
	extensions      []pkix.Extension
	bySHA256        bool // signed with ECDSA and SHA-256, as the signed part says, too
	signature       []byte
	malformed       bool // one of the extensions that are read
	unknownCritical bool
	ca              bool
	hasConstraints  bool
	pathLength      int // -1: any
	hasUsage        bool
	usage           asn1.BitString
}

type rawCertificate struct {
	TBS       rawTBS
	Algorithm rawAlgorithm
	Signature asn1.BitString
}

type rawAlgorithm struct {
	Raw        asn1.RawContent
	Algorithm  asn1.ObjectIdentifier
	Parameters asn1.RawValue `asn1:"optional"`
}

type rawTBS struct {
	Raw       asn1.RawContent
	Version   int `asn1:"optional,explicit,default:0,tag:0"`
	Serial    *big.Int
	Algorithm rawAlgorithm
	Issuer    asn1.RawValue
	Validity  struct{ NotBefore, NotAfter time.Time }
	Subject   asn1.RawValue
	SPKI      struct {
		Raw       asn1.RawContent
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	IssuerID   asn1.BitString   `asn1:"optional,tag:1"`
	SubjectID  asn1.BitString   `asn1:"optional,tag:2"`
	Extensions []pkix.Extension `asn1:"optional,explicit,tag:3"`
}

// parseCertificate reads one certificate in DER, and nothing behind it.
func parseCertificate(der []byte) (*certificate, error) {
	var raw rawCertificate
	if len(der) > documentMax {
		return nil, errors.New("too large")
	}
	if rest, err := asn1.Unmarshal(der, &raw); err != nil || len(rest) > 0 {
		return nil, errors.New("not one certificate in DER")
	}
	t := &raw.TBS
	c := &certificate{raw: der, tbs: t.Raw, version: t.Version + 1, serial: t.Serial, issuer: t.Issuer.FullBytes,
		subject: t.Subject.FullBytes, notBefore: t.Validity.NotBefore, notAfter: t.Validity.NotAfter, spki: t.SPKI.Raw,
		extensions: t.Extensions, signature: raw.Signature.RightAlign(), pathLength: -1,
		bySHA256: raw.Algorithm.Algorithm.Equal(oidECDSAWithSHA256) && bytes.Equal(raw.Algorithm.Raw, t.Algorithm.Raw)}
	if key, err := x509.ParsePKIXPublicKey(c.spki); err == nil {
		if ec, ok := key.(*ecdsa.PublicKey); ok && ec.Curve == elliptic.P256() {
			c.key = ec
		}
	}
	for _, e := range c.extensions {
		c.readExtension(&e)
	}
	if c.pathLength >= 0 && !c.ca {
		c.malformed = true
	}
	return c, nil
}

func (c *certificate) readExtension(e *pkix.Extension) {
	known := slices.ContainsFunc(understood, e.Id.Equal)
	c.unknownCritical = c.unknownCritical || (e.Critical && !known)
	switch {
	case e.Id.Equal(oidBasicConstraints):
		var constraints struct {
			CA     bool `asn1:"optional"`
			Length int  `asn1:"optional,default:-1"`
		}
		rest, err := asn1.Unmarshal(e.Value, &constraints)
		c.malformed = c.malformed || err != nil || len(rest) > 0 || c.hasConstraints
		c.hasConstraints, c.ca, c.pathLength = true, constraints.CA, constraints.Length
	case e.Id.Equal(oidKeyUsage):
		rest, err := asn1.Unmarshal(e.Value, &c.usage)
		c.malformed = c.malformed || err != nil || len(rest) > 0 || c.hasUsage
		c.hasUsage = true
	}
}

// may says whether the key may be used so; one without the extension may for everything.
func (c *certificate) may(usage int) bool { return !c.hasUsage || c.usage.At(usage) == 1 }

func (c *certificate) isAuthority() bool { return c.ca && c.may(usageCertSign) }

// signsData says whether it is no authority of any kind, and may sign data.
func (c *certificate) signsData() bool {
	return !c.ca && (c.hasConstraints || !c.hasUsage || c.usage.At(usageCertSign) == 0) && c.may(usageSignature)
}

// extension is the value of the only extension of that OID, and how many there are.
func (c *certificate) extension(oid asn1.ObjectIdentifier) (found []byte, count int) {
	for i := range c.extensions {
		if c.extensions[i].Id.Equal(oid) {
			found = c.extensions[i].Value
			count++
		}
	}
	if count != 1 {
		return nil, count
	}
	return found, 1
}

func (c *certificate) commonName() string {
	var names pkix.RDNSequence
	if _, err := asn1.Unmarshal(c.subject, &names); err != nil {
		return ""
	}
	return commonNameOf(names)
}

func commonNameOf(names pkix.RDNSequence) string {
	for _, set := range names {
		for _, pair := range set {
			if text, ok := pair.Value.(string); ok && pair.Type.Equal(oidCommonName) {
				return text
			}
		}
	}
	return ""
}

func (c *certificate) formProblem() string {
	switch {
	case c.malformed:
		return "a certificate in it is malformed"
	case c.unknownCritical:
		return "a certificate in it has an unknown critical extension"
	case c.version != 3:
		return "a certificate in it is not of version 3"
	case !c.bySHA256:
		return "a certificate in it is not signed with ECDSA and SHA-256"
	case c.key == nil:
		return "a certificate in it has no P-256 key"
	}
	return ""
}

// signedBy is "" if issuer has signed c, as it may; else what is wrong.
func (c *certificate) signedBy(issuer *certificate) string {
	if problem := c.formProblem(); problem != "" {
		return problem
	}
	if problem := issuer.formProblem(); problem != "" {
		return problem
	}
	digest := sha256.Sum256(c.tbs)
	switch {
	case !bytes.Equal(c.issuer, issuer.subject):
		return "a certificate's issuer is not the next one's name"
	case !issuer.ca:
		return "a certificate's issuer is not a CA"
	case !issuer.may(usageCertSign):
		return "a certificate's issuer may not sign certificates"
	case !ecdsa.VerifyASN1(issuer.key, digest[:], c.signature):
		return "a certificate is not signed by its issuer's key"
	}
	return ""
}

// timeProblem is "" if now is from from until until; else what is wrong, behind whose name.
func timeProblem(from, until, now time.Time) string {
	switch {
	case now.Before(from):
		return "is not valid before " + formatTime(from)
	case now.After(until):
		return "is stale since " + formatTime(until)
	}
	return ""
}

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

const pemMax = 64 << 10

// readPEM gives all blocks of a kind. Each that begins must be one: encoding/pem passes over what is damaged.
func readPEM(text []byte, kind string, most int) ([][]byte, error) {
	if len(text) > pemMax {
		return nil, errors.New("too large")
	}
	begun, blocks := bytes.Count(text, []byte("-----BEGIN ")), [][]byte{}
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		if block.Type != kind || len(block.Headers) > 0 || len(blocks) == most {
			return nil, fmt.Errorf("something else than up to %d of %s", most, kind)
		}
		blocks = append(blocks, block.Bytes)
		text = rest
	}
	if len(blocks) == 0 || len(blocks) != begun {
		return nil, errors.New("a block that is none, or cut short")
	}
	return blocks, nil
}

func readCertificates(text []byte, most int) ([]*certificate, error) {
	blocks, err := readPEM(text, "CERTIFICATE", most)
	if err != nil {
		return nil, err
	}
	list := make([]*certificate, len(blocks))
	for i, der := range blocks {
		if list[i], err = parseCertificate(der); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// p256Key is a key from its two coordinates; nil: they are no point of the curve.
func p256Key(xy []byte) *ecdsa.PublicKey {
	if _, err := ecdh.P256().NewPublicKey(append([]byte{4}, xy...)); err != nil {
		return nil
	}
	return &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(xy[:32]), Y: new(big.Int).SetBytes(xy[32:])}
}

// signatureHolds judges r ‖ s over data.
func signatureHolds(key *ecdsa.PublicKey, rs, data []byte) bool {
	digest := sha256.Sum256(data)
	return key != nil && len(rs) == 64 &&
		ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(rs[:32]), new(big.Int).SetBytes(rs[32:]))
}
