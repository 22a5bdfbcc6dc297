package verifier

import (
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
)

// Binary HTTP (RFC 9292) of known length: requests as they are written, responses as they are read.

const bhttpFieldsMax = 256

var errBinary = errors.New("the enclave's answer is no whole binary response")

// appendNumber writes a number of less than 2^30 (RFC 9000, section 16).
func appendNumber(to []byte, number int) []byte {
	switch {
	case number < 1<<6:
		return append(to, byte(number))
	case number < 1<<14:
		return binary.BigEndian.AppendUint16(to, 1<<14|uint16(number))
	}
	return binary.BigEndian.AppendUint32(to, 2<<30|uint32(number))
}

func appendCounted(to []byte, text string) []byte {
	return append(appendNumber(to, len(text)), text...)
}

// notSent are fields that concern one connection, or that the message says itself.
var notSent = map[string]bool{"connection": true, "content-length": true, "host": true, "keep-alive": true, "proxy-connection": true,
	"te": true, "transfer-encoding": true, "upgrade": true}

// writeBinary is the request for path of authority.
func writeBinary(method, authority, path string, header http.Header, content []byte) []byte {
	out := appendNumber(nil, 0)
	for _, part := range []string{method, "https", authority, path} {
		out = appendCounted(out, part)
	}
	var lines []byte
	for name, values := range header {
		name = strings.ToLower(name)
		for _, value := range values {
			if !notSent[name] {
				lines = appendCounted(appendCounted(lines, name), value)
			}
		}
	}
	out = appendCounted(out, string(lines))
	out = appendCounted(out, string(content))
	return appendNumber(out, 0)
}

// binaryReader reads until something is missing, and nothing from then on.
type binaryReader struct {
	data []byte
	bad  bool
}

func (r *binaryReader) take(size uint64) []byte {
	if r.bad || size > uint64(len(r.data)) {
		r.bad = true
		return nil
	}
	taken := r.data[:size]
	r.data = r.data[size:]
	return taken
}

func (r *binaryReader) number() uint64 {
	first := r.take(1)
	if first == nil {
		return 0
	}
	number := uint64(first[0] & 0x3f)
	for _, b := range r.take(1<<(first[0]>>6) - 1) {
		number = number<<8 | uint64(b)
	}
	return number
}

func (r *binaryReader) counted() []byte { return r.take(r.number()) }

// rest is a section that is left out where it and all behind it are empty (RFC 9292, section 3.8).
func (r *binaryReader) rest() []byte {
	if len(r.data) == 0 {
		return nil
	}
	return r.counted()
}

func isToken(name []byte) bool {
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return len(name) > 0
}

func readLines(section []byte) (http.Header, bool) {
	r, header := &binaryReader{data: section}, http.Header{}
	for count := 0; len(r.data) > 0 && !r.bad; count++ {
		name, value := r.counted(), r.counted()
		if count == bhttpFieldsMax || r.bad || !isToken(name) || strings.ContainsAny(string(value), "\x00\r\n") {
			return nil, false
		}
		header.Add(string(name), string(value))
	}
	return header, !r.bad
}

// readBinary reads a final response.
func readBinary(data []byte) (status int, header http.Header, content []byte, err error) {
	r := &binaryReader{data: data}
	kind, code := r.number(), r.number()
	header, ok := readLines(r.rest())
	content = r.rest()
	_, trailers := readLines(r.rest()) // which nobody here looks at
	ok = ok && trailers
	for _, padding := range r.data {
		ok = ok && padding == 0
	}
	if r.bad || !ok || kind != 1 || code < 200 || code > 599 {
		return 0, nil, nil, errBinary
	}
	return int(code), header, content, nil
}
