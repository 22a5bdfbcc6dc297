package verifier

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Signed notes and checkpoints, by C2SP's signed-note, tlog-checkpoint and tlog-cosignature.

const (
	noteMax         = 64 << 10
	noteSignatures  = 100
	noteCosigned    = 4 << 10 // of a text under a cosignature
	noteEd25519     = 1
	noteCosignature = 4
)

var strictBase64 = base64.StdEncoding.Strict()

// noteKey is a key by which notes are signed: NAME+ID+KEY.
type noteKey struct {
	name string
	kind byte
	id   []byte
	key  ed25519.PublicKey
}

func isNoteName(name string) bool {
	return name != "" && len(name) <= 255 && utf8.ValidString(name) && !strings.ContainsFunc(name, func(c rune) bool {
		return c < 0x20 || c == '+' || unicode.IsSpace(c)
	})
}

func newNoteKey(name string, kind byte, key []byte) (*noteKey, error) {
	if !isNoteName(name) || len(key) != 32 || (kind != noteEd25519 && kind != noteCosignature) {
		return nil, errors.New("no key of a note")
	}
	digest := sha256.Sum256(append(append([]byte(name), '\n', kind), key...))
	return &noteKey{name, kind, digest[:4], key}, nil
}

func parseNoteKey(text string) (*noteKey, error) {
	name, rest, _ := strings.Cut(text, "+")
	id, encoded, _ := strings.Cut(rest, "+")
	key, err := strictBase64.DecodeString(encoded)
	if err != nil || len(key) != 33 || strings.ContainsAny(encoded, "\r\n") {
		return nil, errors.New("no key of a note")
	}
	k, err := newNoteKey(name, key[0], key[1:])
	if err != nil || hex.EncodeToString(k.id) != id {
		return nil, errors.New("no key of a note")
	}
	return k, nil
}

func (k *noteKey) String() string {
	return fmt.Sprintf("%s+%x+%s", k.name, k.id, strictBase64.EncodeToString(append([]byte{k.kind}, k.key...)))
}

func (k *noteKey) equal(other *noteKey) bool { return k.String() == other.String() }

const logOrigin = "enclave-os/"

// parseLogKey: an instance's log has the instance in its name, in lower case.
func parseLogKey(text string) (*noteKey, error) {
	k, err := parseNoteKey(text)
	if err != nil || k.kind != noteEd25519 || k.name != logOrigin+hex.EncodeToString(k.instance()) || len(k.instance()) != 32 {
		return nil, errors.New("it cannot be read")
	}
	return k, nil
}

func (k *noteKey) instance() []byte {
	data, _ := hex.DecodeString(strings.TrimPrefix(k.name, logOrigin))
	return data
}

// note is a text with signatures, whose lines are well-formed.
type note struct {
	text       []byte
	signatures []noteLine
}

type noteLine struct {
	name string
	data []byte
}

func parseNote(data []byte) (*note, error) {
	malformed := errors.New("it is malformed")
	if len(data) > noteMax || !utf8.Valid(data) || slices.ContainsFunc(data, func(c byte) bool { return c < 0x20 && c != '\n' }) {
		return nil, malformed
	}
	split := bytes.LastIndex(data, []byte("\n\n"))
	if split < 0 || split+2 == len(data) || data[len(data)-1] != '\n' {
		return nil, malformed
	}
	n := &note{text: data[:split+1]}
	for _, line := range strings.Split(string(data[split+2:len(data)-1]), "\n") {
		rest, ok := strings.CutPrefix(line, "— ")
		name, encoded, found := strings.Cut(rest, " ")
		data, err := strictBase64.DecodeString(encoded)
		if !ok || !found || err != nil || !isNoteName(name) || len(data) <= 4 || len(n.signatures) == noteSignatures {
			return nil, malformed
		}
		n.signatures = append(n.signatures, noteLine{name, data})
	}
	return n, nil
}

var (
	errUnsigned = errors.New("not signed by the key")
	errFalse    = errors.New("its signature does not hold")
)

// verify judges the first signature that says it is the key's; of a cosignature, it gives its time.
func (n *note) verify(k *noteKey) (seconds uint64, err error) {
	for _, line := range n.signatures {
		if line.name != k.name || !bytes.Equal(line.data[:4], k.id) {
			continue
		}
		message, signature := n.text, line.data[4:]
		if k.kind == noteCosignature { // the text behind two lines of the witness's own: what this is, and when
			if len(signature) != 8+ed25519.SignatureSize || len(n.text) > noteCosigned {
				return 0, errFalse
			}
			if seconds = bigEndian(signature); seconds > 1<<63-1 {
				return 0, errFalse
			}
			message, signature = fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", seconds, n.text), signature[8:]
		}
		if len(signature) != ed25519.SignatureSize || !ed25519.Verify(k.key, message, signature) {
			return 0, errFalse
		}
		return seconds, nil
	}
	return 0, errUnsigned
}

// head is a tree's: so many entries make that root.
type head struct {
	size uint64
	root hash
}

func (h head) String() string { return fmt.Sprintf("%d entries, root %x", h.size, h.root) }

// checkpoint reads a note's text: origin, size, root, and perhaps more lines, none of them empty.
func (n *note) checkpoint() (origin string, h head, err error) {
	malformed := errors.New("it is malformed")
	lines := strings.Split(strings.TrimSuffix(string(n.text), "\n"), "\n")
	if len(lines) < 3 || slices.Contains(lines, "") || len(lines[0]) > 255 {
		return "", h, malformed
	}
	size, ok := readDecimal(lines[1])
	root, err := strictBase64.DecodeString(lines[2])
	if !ok || size > 1<<63-1 || err != nil || len(root) != 32 {
		return "", h, malformed
	}
	return lines[0], head{size, hash(root)}, nil
}
