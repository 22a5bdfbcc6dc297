package verifier

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"time"
)

// revocationList is a CRL of version 2.
type revocationList struct {
	tbs       []byte
	version   int
	bySHA256  bool
	issuer    []byte
	from      time.Time
	until     time.Time // zero: it does not say
	serials   []*big.Int
	critical  bool
	signature []byte
}

type rawList struct {
	TBS struct {
		Raw        asn1.RawContent
		Version    int `asn1:"optional,default:0"`
		Algorithm  rawAlgorithm
		Issuer     asn1.RawValue
		ThisUpdate time.Time
		NextUpdate time.Time                 `asn1:"optional"`
		Revoked    []pkix.RevokedCertificate `asn1:"optional"`
		Extensions []pkix.Extension          `asn1:"tag:0,optional,explicit"`
	}
	Algorithm rawAlgorithm
	Signature asn1.BitString
}

// parseList reads a CRL in DER, hexadecimal or PEM, whichever it is; nil: in none of them.
func parseList(data []byte) *revocationList {
	switch {
	case len(data) > 1 && data[0] == 0x30 && data[1] >= 0x80:
	case len(data) > 0 && data[0] == '-':
		blocks, err := readPEM(data, "X509 CRL", 1)
		if err != nil {
			return nil
		}
		data = blocks[0]
	default:
		der, err := hex.DecodeString(string(bytes.TrimRight(data, "\r\n")))
		if err != nil {
			return nil
		}
		data = der
	}
	var raw rawList
	if rest, err := asn1.Unmarshal(data, &raw); err != nil || len(rest) > 0 {
		return nil
	}
	t := &raw.TBS
	l := &revocationList{tbs: t.Raw, version: t.Version + 1, issuer: t.Issuer.FullBytes, from: t.ThisUpdate,
		until: t.NextUpdate, signature: raw.Signature.RightAlign(),
		bySHA256: raw.Algorithm.Algorithm.Equal(oidECDSAWithSHA256) && bytes.Equal(raw.Algorithm.Raw, t.Algorithm.Raw)}
	for i := range t.Revoked {
		l.serials = append(l.serials, t.Revoked[i].SerialNumber)
		for _, e := range t.Revoked[i].Extensions {
			l.critical = l.critical || e.Critical
		}
	}
	for _, e := range t.Extensions {
		l.critical = l.critical || e.Critical
	}
	return l
}

func (l *revocationList) problem(issuer *certificate) string {
	digest := sha256.Sum256(l.tbs)
	switch {
	case l.version != 2 || l.until.IsZero():
		return "it is not of version 2 with a nextUpdate"
	case l.critical:
		return "it has a critical extension: it may not be the whole list"
	case !bytes.Equal(l.issuer, issuer.subject):
		return "it is another issuer's"
	case !l.bySHA256:
		return "it is not signed with ECDSA and SHA-256"
	case !issuer.isAuthority() || !issuer.may(usageCRLSign):
		return "its issuer may not sign revocation lists"
	case issuer.key == nil || !ecdsa.VerifyASN1(issuer.key, digest[:], l.signature):
		return "it is not signed by its issuer's key"
	}
	return ""
}

func (l *revocationList) has(c *certificate) bool {
	for _, serial := range l.serials {
		if serial.Cmp(c.serial) == 0 {
			return true
		}
	}
	return false
}
