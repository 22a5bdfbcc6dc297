package verifier

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
)

// manifest is all leaves of a configuration's tree, in order. It is anybody's text until they make the root that the
// certificate carries.
type manifest struct {
	labels         []string // in the tree's order
	values         map[string][]byte
	root           hash   // over the leaves
	saidRoot       []byte // what it says of itself: worth nothing alone
	saidInstance   []byte
	saidGeneration uint64
}

const manifestFormat = "enclave-os-manifest/1"

func readManifest(data []byte) (*manifest, error) {
	j, err := parseJSON(data)
	if err != nil {
		return nil, err
	}
	if format, _ := j.any("format").text(); format != manifestFormat {
		return nil, errors.New("not of the format " + manifestFormat)
	}
	m := &manifest{values: map[string][]byte{}}
	var ok bool
	if m.saidGeneration, ok = j.any("generation").number(1<<63 - 1); !ok {
		return nil, errors.New("its generation is malformed")
	}
	if m.saidInstance, ok = j.any("instance").bytes(32); !ok {
		return nil, errors.New("its instance is malformed")
	}
	if m.saidRoot, ok = j.any("merkle_root").bytes(32); !ok {
		return nil, errors.New("its merkle_root is malformed")
	}
	leaves := j.member("leaves", jsonArray)
	if leaves == nil || len(leaves.items) == 0 {
		return nil, errors.New("it has no leaves")
	}
	return m, m.readLeaves(leaves.items)
}

func (m *manifest) readLeaves(items []*value) error {
	hashes := make([]hash, len(items))
	for i, item := range items {
		label, okLabel := item.any("label").text()
		data, okValue := item.any("value").bytes(-1)
		if !okLabel || !okValue || label == "" || strings.ContainsFunc(label, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return errors.New("a leaf that is not a label and a value in hexadecimal")
		}
		if _, twice := m.values[label]; twice {
			return errors.New("a label that stands twice")
		}
		m.labels, m.values[label] = append(m.labels, label), data
		hashes[i] = leafHash(append([]byte(label+"\x00"), data...))
	}
	m.root = rootOf(hashes)
	return nil
}

// sized is a leaf's value, if it has exactly so many bytes; else nil.
func (m *manifest) sized(label string, size int) []byte {
	if data, ok := m.values[label]; ok && len(data) == size {
		return data
	}
	return nil
}

// agrees says whether what it says of itself is what is in its leaves.
func (m *manifest) agrees() bool {
	instance, generation := m.sized("instance", 32), m.sized("generation", 8)
	return instance != nil && generation != nil && bytes.Equal(m.saidRoot, m.root[:]) &&
		bytes.Equal(m.saidInstance, instance) && m.saidGeneration == bigEndian(generation)
}

// readDecimal: digits as they are written here, without a zero in front.
func readDecimal(text string) (uint64, bool) {
	if text == "" || (len(text) > 1 && text[0] == '0') || strings.ContainsFunc(text, func(c rune) bool { return c < '0' || c > '9' }) {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

// appRule is what the leaf `rule:NAME` says of an app, in lines. One that is not known is of a later version, and skipped.
type appRule struct {
	id        []byte
	kind      string // "operator", "publisher", "frozen"
	publisher []byte // nil: it names none
	version   uint64
}

func (m *manifest) rule(name string) (rule appRule, ok bool) {
	data, there := m.values["rule:"+name]
	lines := strings.Split(string(data), "\n")
	if !there || lines[len(lines)-1] != "" {
		return appRule{}, false
	}
	seen := map[string]bool{}
	for _, line := range lines[:len(lines)-1] {
		member, text, _ := strings.Cut(line, "=")
		good := true
		switch {
		case !strings.Contains(line, "="):
			continue
		case member == "id":
			rule.id, good = hexBytes(text, 16)
		case member == "rule":
			rule.kind, good = text, len(text) < 12
		case member == "key":
			rule.publisher, good = hexBytes(text, 32)
		case member == "version":
			rule.version, good = readDecimal(text)
		default:
			continue
		}
		if !good || seen[member] {
			return appRule{}, false
		}
		seen[member] = true
	}
	return rule, seen["id"] && seen["rule"]
}

func hexBytes(text string, size int) ([]byte, bool) {
	data, err := hex.DecodeString(text)
	return data, err == nil && len(data) == size
}

// administrator is a key by the SHA-256 of its SubjectPublicKeyInfo, and its role.
type administrator struct {
	role string
	key  string // in hexadecimal
}

func isRole(role string) bool { return role == "admin" || role == "deploy" || role == "monitor" }

// administratorOf reads a leaf `admin:THUMBPRINT`: role NUL SubjectPublicKeyInfo, whose SHA-256 the label has.
func (m *manifest) administratorOf(label string) (administrator, bool) {
	role, key, cut := strings.Cut(string(m.values[label]), "\x00")
	digest := sha256.Sum256([]byte(key))
	a := administrator{role, hex.EncodeToString(digest[:])}
	return a, cut && isRole(role) && label == "admin:"+a.key
}

func (m *manifest) threshold() (uint64, bool) {
	text, ok := strings.CutPrefix(string(m.values["administrators"]), "threshold=")
	n, good := readDecimal(text)
	return n, ok && good && n < 1<<32
}
