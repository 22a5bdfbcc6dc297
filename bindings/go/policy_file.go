package verifier

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// A policy file: JSON by docs/policy.schema.json, one member for each thing that can be expected.

// LoadPolicy reads a policy file.
func LoadPolicy(path string) (*Policy, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p, err := ParsePolicy(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// ParsePolicy reads a policy, by docs/policy.schema.json. A member that is not known is an error: what it would have asked
// for cannot be checked.
func ParsePolicy(data []byte) (*Policy, error) {
	j, err := parseJSON(data)
	if err != nil {
		return nil, fmt.Errorf("no JSON as it should be: %w", err)
	}
	p := &Policy{maxLifetime: 24 * time.Hour}
	if err := readMembers("", j, p, policyMembers); err != nil {
		return nil, err
	}
	if j.any("format") == nil {
		return nil, errors.New(`format is missing: expected "` + policyFormat + `"`)
	}
	return p, nil
}

const policyFormat = "enclave-os-policy/1"

// members are those that an object may have, each with what reads its value into T.
type members[T any] map[string]func(out *T, v *value) error

// readMembers names the place of what is wrong; where is "" or ends with a point.
func readMembers[T any](where string, object *value, out *T, known members[T]) error {
	if object.kind != jsonObject {
		return errors.New("expected an object")
	}
	for i, name := range object.names {
		read := known[name]
		if read == nil {
			return fmt.Errorf("%s%.64s: there is no such member", where, name)
		}
		if err := read(out, object.items[i]); err != nil {
			if strings.HasPrefix(err.Error(), name+".") {
				return fmt.Errorf("%s%w", where, err)
			}
			return fmt.Errorf("%s%s: %w", where, name, err)
		}
	}
	return nil
}

func needHex(v *value, size int) ([]byte, error) {
	data, ok := v.bytes(size)
	if !ok {
		return nil, fmt.Errorf("expected %d hex digits", 2*size)
	}
	return data, nil
}

func needHexText(v *value, size int) (*string, error) {
	data, err := needHex(v, size)
	text := hex.EncodeToString(data)
	return &text, err
}

// hashOrNone: null is that there is none.
func hashOrNone(v *value) (*string, error) {
	if v.kind == jsonNull {
		none := "none"
		return &none, nil
	}
	return needHexText(v, 32)
}

func needNumber(v *value, least, most uint64) (uint64, error) {
	n, ok := v.number(most)
	if !ok || n < least {
		return 0, fmt.Errorf("expected a whole number from %d to %d", least, most)
	}
	return n, nil
}

func needBool(v *value) (bool, error) {
	if v.kind != jsonBool {
		return false, errors.New("expected true or false")
	}
	return v.isTrue(), nil
}

func needList(v *value, least, most int, what string) ([]*value, error) {
	if v.kind != jsonArray {
		return nil, errors.New("expected an array")
	}
	if len(v.items) < least || len(v.items) > most {
		return nil, fmt.Errorf("expected %d to %d %s", least, most, what)
	}
	return v.items, nil
}

func needHashes(v *value, least, most int) ([][]byte, error) {
	items, err := needList(v, least, most, "of them")
	list := [][]byte{}
	for _, item := range items {
		data, err := needHex(item, 32)
		if err != nil {
			return nil, err
		}
		list = append(list, data)
	}
	return list, err
}

func needPEM(v *value, most int) ([]*certificate, error) {
	text, ok := v.ascii()
	if !ok {
		return nil, errors.New("expected a string of ASCII characters")
	}
	list, err := readCertificates([]byte(text), most)
	if err != nil {
		return nil, fmt.Errorf("expected 1 to %d certificates in PEM, and nothing else: %w", most, err)
	}
	return list, nil
}

var policyMembers members[Policy]

func init() { // by itself, since what reads members refers to other such tables
	policyMembers = members[Policy]{
		"format": func(p *Policy, v *value) error {
			if text, _ := v.text(); text != policyFormat {
				return errors.New("expected " + policyFormat)
			}
			return nil
		},
		"mrenclave": func(p *Policy, v *value) (err error) { p.mrenclaves, err = needHashes(v, 1, 64); return },
		"mrsigner":  func(p *Policy, v *value) (err error) { p.mrsigner, err = needHexText(v, 32); return },
		"prod_id": func(p *Policy, v *value) error {
			n, err := needNumber(v, 0, 0xffff)
			text := fmt.Sprint(n)
			p.prodID = &text
			return err
		},
		"min_svn": func(p *Policy, v *value) error {
			n, err := needNumber(v, 0, 0xffff)
			svn := uint16(n)
			p.minSVN = &svn
			return err
		},
		"allow_simulation": func(p *Policy, v *value) (err error) { p.allowSimulation, err = needBool(v); return },
		"allow_debug":      func(p *Policy, v *value) (err error) { p.allowDebug, err = needBool(v); return },
		"roots":            func(p *Policy, v *value) (err error) { p.roots, err = needPEM(v, 8); return },
		"collateral":       func(p *Policy, v *value) error { return readMembers("collateral.", v, p, collateralMembers) },
		"max_lifetime": func(p *Policy, v *value) error {
			n, err := needNumber(v, 0, 1<<31-1)
			p.maxLifetime = time.Duration(n) * time.Second
			return err
		},
		"extensions": readExtensions,
		"issuer": func(p *Policy, v *value) error {
			list, err := needPEM(v, 1)
			if err == nil {
				p.issuer = list[0]
			}
			return err
		},
		"instance": func(p *Policy, v *value) error {
			data, err := needHex(v, 32)
			if err != nil {
				return err
			}
			return p.expectInstance(data)
		},
		"administrators": readAdministrators,
		"upgrade_rule": func(p *Policy, v *value) error {
			rule, ok := readUpgradeRule(v)
			if !ok {
				return errors.New("expected a rule as the leaf upgrade-rule has it")
			}
			p.upgradeRule = rule
			return nil
		},
		"predecessors":   func(p *Policy, v *value) (err error) { p.predecessors, err = needHashes(v, 0, 256); return },
		"min_generation": func(p *Policy, v *value) (err error) { p.minGeneration, err = needNumber(v, 0, 1<<63-1); return },
		"log":            readLogPolicy,
		"limits": func(p *Policy, v *value) error {
			text, ok := v.ascii()
			if !ok || len(text) > 1024 {
				return errors.New("expected a string of up to 1024 ASCII characters")
			}
			p.limits = &text
			return nil
		},
		"egress_ca": func(p *Policy, v *value) (err error) { p.egressCA, err = hashOrNone(v); return },
		"apps":      readApps,
		"only_apps": func(p *Policy, v *value) (err error) { p.onlyApps, err = needBool(v); return },
	}
}

// expectInstance: the log's key names it, too.
func (p *Policy) expectInstance(instance []byte) error {
	if p.instance != nil && string(p.instance) != string(instance) {
		return errors.New("another instance is expected already")
	}
	p.instance = instance
	return nil
}

var collateralMembers = members[Policy]{
	"required": func(p *Policy, v *value) (err error) { p.requireCollateral, err = needBool(v); return },
	"accept_tcb": func(p *Policy, v *value) error {
		items, err := needList(v, 0, jsonValues, "statuses")
		for _, item := range items {
			text, _ := item.text()
			if !Status(text).acceptable() {
				return errors.New("one is not a status that can be accepted")
			}
			p.accepted = append(p.accepted, Status(text))
		}
		return err
	},
	"min_evaluation_number": func(p *Policy, v *value) (err error) { p.minEvaluation, err = needNumber(v, 0, 1<<32-1); return },
}

// readOID: without a zero in front of an arc, and none that does not fit.
func readOID(text string) (asn1.ObjectIdentifier, bool) {
	var oid asn1.ObjectIdentifier
	for _, arc := range strings.Split(text, ".") {
		n, ok := readDecimal(arc)
		if !ok || n > 1<<31-1 {
			return nil, false
		}
		oid = append(oid, int(n))
	}
	return oid, len(text) < 64 && len(oid) > 1 && oid[0] <= 2 && (oid[0] == 2 || oid[1] < 40)
}

func readExtensions(p *Policy, v *value) error {
	if v.kind != jsonObject || len(v.items) > 16 {
		return errors.New("expected an object of up to 16 extensions")
	}
	for i, name := range v.names {
		oid, okOID := readOID(name)
		data, ok := v.items[i].bytes(-1)
		if !ok || !okOID || len(data) > 1024 {
			return errors.New(`expected "OID": "HEX"`)
		}
		p.extensions = append(p.extensions, expectedExtension{oid, data})
	}
	return nil
}

func readAdministrators(p *Policy, v *value) error {
	a := &administrators{}
	if err := readMembers("administrators.", v, a, members[administrators]{
		"threshold": func(a *administrators, v *value) (err error) { a.threshold, err = needNumber(v, 0, 64); return },
		"keys":      readKeys,
	}); err != nil {
		return err
	}
	if v.any("threshold") == nil || v.any("keys") == nil {
		return errors.New("threshold or keys is missing")
	}
	p.administrators = a
	return nil
}

func readKeys(a *administrators, v *value) error {
	items, err := needList(v, 0, 64, "keys")
	if err != nil {
		return err
	}
	for _, item := range items {
		role, okRole := item.any("role").text()
		key, ok := item.any("key").bytes(32)
		if !ok || !okRole || !isRole(role) || len(item.items) != 2 {
			return errors.New("expected a role, admin, deploy or monitor, and a key of 64 hex digits")
		}
		one := administrator{role, hex.EncodeToString(key)}
		if slices.ContainsFunc(a.list, func(other administrator) bool { return other.key == one.key }) {
			return errors.New("one stands twice")
		}
		a.list = append(a.list, one)
	}
	return nil
}

func readApps(p *Policy, v *value) error {
	items, err := needList(v, 0, 256, "apps")
	if err != nil {
		return err
	}
	for _, item := range items {
		a := expectedApp{}
		if err := readMembers("apps.", item, &a, appMembers); err != nil {
			return err
		}
		if a.name == "" {
			return errors.New("each needs a name, of 1 to 64 characters")
		}
		if slices.ContainsFunc(p.apps, func(other expectedApp) bool { return other.name == a.name }) {
			return fmt.Errorf("%s stands twice", a.name)
		}
		if item.any("min_version") != nil && a.publisher == nil {
			return errors.New("min_version needs a publisher")
		}
		p.apps = append(p.apps, a)
	}
	return nil
}

var appMembers = members[expectedApp]{
	"name": func(a *expectedApp, v *value) error {
		text, ok := v.text()
		if !ok || len(text) < 1 || len(text) > 64 {
			return errors.New("expected 1 to 64 characters")
		}
		a.name = text
		return nil
	},
	"sha256":      func(a *expectedApp, v *value) (err error) { a.sha256, err = needHexText(v, 32); return },
	"publisher":   func(a *expectedApp, v *value) (err error) { a.publisher, err = needHexText(v, 32); return },
	"min_version": func(a *expectedApp, v *value) (err error) { a.minVersion, err = needNumber(v, 0, 1<<63-1); return },
	"id":          func(a *expectedApp, v *value) (err error) { a.id, err = needHexText(v, 16); return },
	"settings":    func(a *expectedApp, v *value) (err error) { a.settings, err = hashOrNone(v); return },
	"egress": func(a *expectedApp, v *value) error {
		items, err := needList(v, 0, 8192, "hosts")
		list := make([]string, len(items))
		for i, item := range items {
			text, ok := item.text()
			if !ok || text == "" || strings.Contains(text, ",") {
				return errors.New(`expected "HOST" or "HOST:PORT"`)
			}
			list[i] = text
		}
		normal, ok := normalEgress(strings.Join(list, ","))
		if err == nil && !ok {
			return errors.New(`expected "HOST" or "HOST:PORT"`)
		}
		a.egress = &normal
		return err
	},
}

// readLogPolicy: members that mean nothing without others stand together.
func readLogPolicy(p *Policy, v *value) error {
	l, h := &p.log, head{}
	number := func(out *uint64, least, most uint64) func(*logPolicy, *value) error {
		return func(_ *logPolicy, v *value) (err error) { *out, err = needNumber(v, least, most); return }
	}
	var quorum, maxAge uint64
	if err := readMembers("log.", v, l, members[logPolicy]{
		"key": func(l *logPolicy, v *value) error {
			text, _ := v.ascii()
			key, err := parseLogKey(text)
			l.key = key
			return err
		},
		"size": number(&h.size, 1, 1<<63-1),
		"root": func(l *logPolicy, v *value) error {
			data, err := needHex(v, 32)
			if err == nil {
				h.root = hash(data)
			}
			return err
		},
		"witnesses": readWitnesses,
		"quorum":    number(&quorum, 1, 16),
		"max_age":   number(&maxAge, 1, 1<<31-1),
	}); err != nil {
		return err
	}
	size, root := v.any("size") != nil, v.any("root") != nil
	if size != root || (size && l.key == nil) {
		return errors.New("size, root and key stand together, or key alone")
	}
	if (quorum > 0 || maxAge > 0) && len(l.witnesses) == 0 {
		return errors.New("quorum and max_age are of witnesses")
	}
	if quorum > uint64(len(l.witnesses)) {
		return errors.New("quorum: there are not so many witnesses")
	}
	l.quorum, l.maxAge = int(quorum), time.Duration(maxAge)*time.Second
	if size {
		l.head = &h
	}
	if l.key == nil {
		return nil
	}
	return p.expectInstance(l.key.instance())
}

func readWitnesses(l *logPolicy, v *value) error {
	items, err := needList(v, 1, 16, "witnesses")
	if err != nil {
		return err
	}
	for _, item := range items {
		text, _ := item.ascii()
		key, err := parseNoteKey(text)
		if err != nil || key.kind != noteCosignature {
			return errors.New("one is no key of a witness")
		}
		if slices.ContainsFunc(l.witnesses, func(other *noteKey) bool { return other.key.Equal(key.key) }) {
			return errors.New("one stands twice")
		}
		l.witnesses = append(l.witnesses, key)
	}
	return nil
}
