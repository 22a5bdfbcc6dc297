package verifier

import (
	"bytes"
	"crypto/sha512"
	"encoding/base64"
	"errors"
)

// Fresh is what a server answered to a challenge behind the handshake (docs/protocol.md).
type Fresh struct {
	Answer   []byte // JSON; nil: it gave none
	Context  []byte // 32 bytes that it was challenged with
	Exported []byte // 32 bytes that TLS exports for that context, at the caller's end of the connection
}

func (f *Fresh) quote() ([]byte, error) {
	j, err := parseJSON(f.Answer)
	if err != nil {
		return nil, err
	}
	version, okVersion := j.any("v").number(2)
	mode, _ := j.any("mode").text()
	tee, _ := j.any("tee").text()
	text, okQuote := j.any("quote").text()
	quote, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if !okVersion || version != 2 || mode != "challenge" || tee != "sgx" || !okQuote || err != nil || len(quote) == 0 ||
		len(quote) > 16384 || bytes.ContainsAny([]byte(text), "\r\n") {
		return nil, errors.New("it is not of version 2, mode challenge, tee sgx, with a quote")
	}
	return quote, nil
}

const ofThisConnection = "a quote over this key, this challenge and this connection"

// knows says whether both challenge and connection are there.
func (f *Fresh) knows() bool { return len(f.Context) == 32 && len(f.Exported) == 32 }

// reportData is what the answer's quote must carry.
func (f *Fresh) reportData(spkiHash []byte) []byte {
	data := sha512.Sum512(bytes.Join([][]byte{spkiHash, f.Context, f.Exported}, nil))
	return data[:]
}

// checkOnlyFresh judges a server of version 2: the quote that it made behind the handshake is the one that all checks are about.
func (v *verification) checkOnlyFresh() {
	f := v.evidence.Fresh
	if f == nil || f.Answer == nil || !f.knows() || !v.evidence.Live {
		v.fail("quote", "the certificate carries no SGX quote, and none came behind a handshake")
		return
	}
	if v.spkiHash == nil {
		return
	}
	data, err := f.quote()
	if err != nil {
		v.fail("quote", "the certificate carries none, and the answer to the challenge: %v", err)
		return
	}
	v.expected = f.reportData(v.spkiHash)
	v.checkQuote(data)
	if v.passed("report data") {
		v.pass("fresh evidence", ofThisConnection)
	}
}

func (v *verification) checkFresh() {
	const check = "fresh evidence"
	f := v.evidence.Fresh
	if f == nil {
		v.skip(check, "none was asked for behind the handshake")
		return
	}
	if v.isV2 {
		return // that was the quote
	}
	if !v.evidence.Live || v.spkiHash == nil || v.quote == nil {
		return // it would prove something about nobody
	}
	if f.Answer == nil {
		v.fail(check, "the server does not answer the challenge")
		return
	}
	data, err := f.quote()
	if err != nil {
		v.fail(check, "the answer: %v", err)
		return
	}
	if !f.knows() {
		v.fail(check, "neither challenge nor connection is known")
	} else if problem := v.isAsGood(data, f.reportData(v.spkiHash), "it is not over this key, this challenge and this connection"); problem != "" {
		v.fail(check, "%s", problem)
	} else {
		v.pass(check, ofThisConnection)
	}
}
