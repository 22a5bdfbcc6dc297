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

func (v *verification) checkFresh() {
	const check = "fresh evidence"
	f := v.evidence.Fresh
	if f == nil {
		v.skip(check, "none was asked for behind the handshake")
		return
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
	expected := sha512.Sum512(bytes.Join([][]byte{v.spkiHash, f.Context, f.Exported}, nil))
	if len(f.Context) != 32 || len(f.Exported) != 32 {
		v.fail(check, "neither challenge nor connection is known")
	} else if problem := v.isAsGood(data, expected[:], "it is not over this key, this challenge and this connection"); problem != "" {
		v.fail(check, "%s", problem)
	} else {
		v.pass(check, "a quote over this key, this challenge and this connection")
	}
}
