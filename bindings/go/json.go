package verifier

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strconv"
	"unicode/utf8"
)

// Bounds of a document from others.
const (
	documentMax = 1 << 20
	jsonDepth   = 16
	jsonValues  = 65536
	jsonMembers = 64
)

type jsonKind int

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// value is JSON as it stands in the text: raw is its bytes, of a string those between the quotes.
type value struct {
	kind  jsonKind
	raw   []byte
	names []string // of an object's members, whose values are in items
	items []*value
}

// parser reads RFC 8259 strictly: UTF-8 only, no name twice, no escapes in names, depth and number of values bounded.
// encoding/json takes the last of two members of one name, which another reader may not.
type parser struct {
	text  []byte
	at    int
	count int
}

func parseJSON(text []byte) (*value, error) {
	if len(text) > documentMax {
		return nil, errors.New("too large")
	}
	p := &parser{text: text}
	p.space()
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.at != len(text) {
		return nil, errors.New("something after its end")
	}
	return v, nil
}

func (p *parser) space() {
	for p.at < len(p.text) && bytes.IndexByte([]byte(" \t\n\r"), p.text[p.at]) >= 0 {
		p.at++
	}
}

// next says which byte comes, 0 at the end.
func (p *parser) next() byte {
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *parser) value(depth int) (*value, error) {
	if p.count++; p.count > jsonValues {
		return nil, errors.New("too many values")
	}
	switch c := p.next(); {
	case c == '{' || c == '[':
		return p.container(depth, c)
	case c == '"':
		return p.string()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for word, kind := range map[string]jsonKind{"null": jsonNull, "true": jsonBool, "false": jsonBool} {
		if bytes.HasPrefix(p.text[p.at:], []byte(word)) {
			p.at += len(word)
			return &value{kind: kind, raw: []byte(word)}, nil
		}
	}
	return nil, errors.New("something that is no value")
}

func (p *parser) container(depth int, open byte) (*value, error) {
	if depth == jsonDepth {
		return nil, errors.New("too deep")
	}
	v, end, start := &value{kind: jsonArray}, byte(']'), p.at
	if open == '{' {
		v.kind, end = jsonObject, '}'
	}
	for p.at++; ; {
		p.space()
		if p.next() == end {
			p.at++
			v.raw = p.text[start:p.at]
			return v, nil
		}
		if len(v.items) > 0 {
			if p.next() != ',' {
				return nil, errors.New("neither a comma nor an end")
			}
			p.at++
			p.space()
		}
		if v.kind == jsonObject {
			if err := p.name(v); err != nil {
				return nil, err
			}
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v.items = append(v.items, item)
	}
}

func (p *parser) name(object *value) error {
	if p.next() != '"' {
		return errors.New("an object's member without a name")
	}
	if len(object.names) == jsonMembers {
		return errors.New("an object with too many members")
	}
	if p.count++; p.count > jsonValues {
		return errors.New("too many values")
	}
	name, err := p.string()
	if err != nil {
		return err
	}
	if bytes.IndexByte(name.raw, '\\') >= 0 {
		return errors.New("a name with an escape")
	}
	for _, other := range object.names {
		if other == string(name.raw) {
			return errors.New("a name that stands twice in an object")
		}
	}
	object.names = append(object.names, string(name.raw))
	p.space()
	if p.next() != ':' {
		return errors.New("a name without a value")
	}
	p.at++
	p.space()
	return nil
}

func (p *parser) string() (*value, error) {
	p.at++
	start := p.at
	for p.at < len(p.text) && p.text[p.at] != '"' {
		c := p.text[p.at]
		if c < 0x20 {
			return nil, errors.New("a control character in a string")
		}
		if r, size := utf8.DecodeRune(p.text[p.at:]); r == utf8.RuneError && size == 1 {
			return nil, errors.New("a string that is not UTF-8")
		} else {
			p.at += size
		}
		if c != '\\' {
			continue
		}
		if _, err := p.escape(); err != nil {
			return nil, err
		}
	}
	if p.at == len(p.text) {
		return nil, errors.New("a string without an end")
	}
	p.at++
	return &value{kind: jsonString, raw: p.text[start : p.at-1]}, nil
}

// escape reads past what stands behind a backslash. Halves of surrogate pairs are let through: no value that has one is
// ever used.
func (p *parser) escape() (rune, error) {
	malformed := errors.New("a malformed escape")
	c := p.next()
	if i := bytes.IndexByte([]byte(`"\/bfnrt`), c); c != 0 && i >= 0 {
		p.at++
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	if c != 'u' || len(p.text)-p.at < 5 {
		return 0, malformed
	}
	code, err := hex.DecodeString(string(p.text[p.at+1 : p.at+5]))
	if err != nil {
		return 0, malformed
	}
	p.at += 5
	return rune(code[0])<<8 | rune(code[1]), nil
}

func (p *parser) digits() error {
	start := p.at
	for c := p.next(); c >= '0' && c <= '9'; c = p.next() {
		p.at++
	}
	if p.at == start {
		return errors.New("a malformed number")
	}
	return nil
}

func (p *parser) number() (*value, error) {
	start := p.at
	if p.next() == '-' {
		p.at++
	}
	if p.next() == '0' {
		p.at++
	} else if err := p.digits(); err != nil {
		return nil, err
	}
	if p.next() == '.' {
		p.at++
		if err := p.digits(); err != nil {
			return nil, err
		}
	}
	if c := p.next(); c == 'e' || c == 'E' {
		p.at++
		if c = p.next(); c == '+' || c == '-' {
			p.at++
		}
		if err := p.digits(); err != nil {
			return nil, err
		}
	}
	return &value{kind: jsonNumber, raw: p.text[start:p.at]}, nil
}

// member is an object's member of that name and kind; nil: there is none.
func (v *value) member(name string, kind jsonKind) *value {
	if m := v.any(name); m != nil && m.kind == kind {
		return m
	}
	return nil
}

// any is an object's member of that name, whatever it is.
func (v *value) any(name string) *value {
	if v == nil || v.kind != jsonObject {
		return nil
	}
	for i, n := range v.names {
		if n == name {
			return v.items[i]
		}
	}
	return nil
}

// text is a string without escapes.
func (v *value) text() (string, bool) {
	if v == nil || v.kind != jsonString || bytes.IndexByte(v.raw, '\\') >= 0 {
		return "", false
	}
	return string(v.raw), true
}

// ascii is a string with its escapes undone, of characters from U+0001 to U+007F.
func (v *value) ascii() (string, bool) {
	if v == nil || v.kind != jsonString {
		return "", false
	}
	p, out := &parser{text: v.raw}, []byte{}
	for p.at < len(p.text) {
		c := rune(p.text[p.at])
		p.at++
		if c == '\\' {
			var err error
			if c, err = p.escape(); err != nil {
				return "", false
			}
		}
		if c < 1 || c > 0x7f {
			return "", false
		}
		out = append(out, byte(c))
	}
	return string(out), true
}

// number is a whole number from 0 to most, written without fraction or exponent.
func (v *value) number(most uint64) (uint64, bool) {
	if v == nil || v.kind != jsonNumber {
		return 0, false
	}
	n, err := strconv.ParseUint(string(v.raw), 10, 64)
	return n, err == nil && n <= most
}

// bytes is a string of so many bytes in hexadecimal; any number of them with -1.
func (v *value) bytes(size int) ([]byte, bool) {
	if v == nil || v.kind != jsonString {
		return nil, false
	}
	out, err := hex.DecodeString(string(v.raw))
	return out, err == nil && (size < 0 || len(out) == size)
}

func (v *value) isTrue() bool { return v != nil && v.kind == jsonBool && v.raw[0] == 't' }
