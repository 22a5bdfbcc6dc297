package verifier

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// A quote, by Intel's DCAP documentation ("ECDSA Quote Library API", appendix A.4): version 3, ECDSA P-256.

var intelVendor = []byte{0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07}

const (
	headerSize = 48
	bodySize   = 384
	flagInit   = 1
	flagDebug  = 2
)

// body is a report without key id and MAC.
type body []byte

func (b body) miscselect() []byte { return b[16:20] }
func (b body) attributes() []byte { return b[48:64] }
func (b body) flags() uint64      { return binary.LittleEndian.Uint64(b[48:]) }
func (b body) mrenclave() []byte  { return b[64:96] }
func (b body) mrsigner() []byte   { return b[128:160] }
func (b body) prodID() uint16     { return binary.LittleEndian.Uint16(b[256:]) }
func (b body) svn() uint16        { return binary.LittleEndian.Uint16(b[258:]) }
func (b body) reportData() []byte { return b[320:384] }

type quote struct {
	signed         []byte // header and body
	body           body
	signature      []byte
	attestationKey []byte
	qeBody         body
	qeSignature    []byte
	authData       []byte
	chain          []byte // PEM
}

// reader takes pieces from the front, and remembers when there were too few.
type reader struct {
	left   []byte
	failed bool
}

func (r *reader) take(size int) []byte {
	if size > len(r.left) {
		r.failed = true
		return make([]byte, min(size, 16))
	}
	out := r.left[:size:size]
	r.left = r.left[size:]
	return out
}

func parseQuote(data []byte) (*quote, error) {
	r := &reader{left: data}
	header := r.take(headerSize)
	b := r.take(bodySize)
	length := r.take(4)
	if r.failed {
		return nil, errors.New("shorter than a quote")
	}
	if binary.LittleEndian.Uint16(header) != 3 || binary.LittleEndian.Uint16(header[2:]) != 2 ||
		binary.LittleEndian.Uint32(header[4:]) != 0 {
		return nil, errors.New("not a version 3 ECDSA P-256 quote of SGX")
	}
	if !bytes.Equal(header[12:28], intelVendor) {
		return nil, errors.New("the quoting enclave's vendor is unknown")
	}
	if uint64(binary.LittleEndian.Uint32(length)) != uint64(len(r.left)) {
		return nil, errors.New("its signature data has another length than it says")
	}
	q := &quote{signed: data[:headerSize+bodySize], body: b}
	q.signature, q.attestationKey = r.take(64), r.take(64)
	q.qeBody, q.qeSignature = r.take(bodySize), r.take(64)
	q.authData = r.take(int(binary.LittleEndian.Uint16(r.take(2))))
	kind := binary.LittleEndian.Uint16(r.take(2))
	size := uint64(binary.LittleEndian.Uint32(r.take(4)))
	if r.failed || size != uint64(len(r.left)) {
		return nil, errors.New("its signature data is cut short")
	}
	q.chain = r.left
	if kind != 5 {
		return nil, errors.New("it carries no PCK certificate chain (certification data type 5)")
	}
	return q, nil
}

// bindsKey says whether the quoting enclave's report binds the attestation key: SHA-256(key ‖ authentication data), zeros.
func (q *quote) bindsKey() bool {
	digest := sha256.Sum256(append(append([]byte(nil), q.attestationKey...), q.authData...))
	return bytes.Equal(q.qeBody.reportData(), append(digest[:], make([]byte, 32)...))
}

func (q *quote) holds() bool { return signatureHolds(p256Key(q.attestationKey), q.signature, q.signed) }
