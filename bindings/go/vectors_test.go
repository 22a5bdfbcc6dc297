package verifier

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// The vectors and policy files of the source tree, which the C library's tests judge, too.
var (
	vectorFolder = filepath.Join("..", "..", "verifier", "vectors")
	policyFolder = filepath.Join("..", "..", "verifier", "testing", "policies")
)

// vector is a file of verifier/vectors: its README.md has the format.
type vector struct {
	Description string
	Now         time.Time
	Live        bool
	Certificate []byte
	Issuer      []byte
	Manifest    *string
	Collateral  map[string][]byte
	Log         map[string][]byte
	Fresh       *struct{ Answer, Context, Exported string }
	Policy      json.RawMessage
	Verdict     Verdict
	Checks      map[string]any
}

func loadVector(t *testing.T, path string) *vector {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v := &vector{}
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

func loadVectors(t *testing.T) map[string]*vector {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(vectorFolder, "*.json"))
	if len(paths) < 150 {
		t.Fatalf("%d vectors in %s", len(paths), vectorFolder)
	}
	all := map[string]*vector{}
	for _, path := range paths {
		all[strings.TrimSuffix(filepath.Base(path), ".json")] = loadVector(t, path)
	}
	return all
}

func (v *vector) evidence(t *testing.T) *Evidence {
	t.Helper()
	e := &Evidence{Certificate: v.Certificate, Live: v.Live, Time: v.Now}
	if v.Manifest != nil {
		e.Manifest = []byte(*v.Manifest)
	}
	if v.Collateral != nil {
		e.Collateral = &Collateral{}
		for _, f := range e.Collateral.files() {
			*f.data = v.Collateral[f.name]
		}
	}
	if v.Log != nil {
		log, err := OpenLog(func(path string, limit int) ([]byte, error) {
			data, ok := v.Log[path]
			if !ok {
				return nil, ErrNotFound
			}
			return data, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		e.Log = log
	}
	if v.Fresh != nil {
		context, _ := hex.DecodeString(v.Fresh.Context)
		exported, _ := hex.DecodeString(v.Fresh.Exported)
		e.Fresh = &Fresh{[]byte(v.Fresh.Answer), context, exported}
	}
	return e
}

// asWritten is a result's checks as files have them.
func asWritten(r *Result) map[string]any {
	written := map[string]any{}
	for _, c := range r.Checks {
		if c.Name == "extension" || ofApps(c.Name) {
			list, _ := written[c.Name].([]any)
			written[c.Name] = append(list, string(c.Outcome))
		} else {
			written[c.Name] = string(c.Outcome)
		}
	}
	return written
}

func TestVectors(t *testing.T) {
	for name, v := range loadVectors(t) {
		t.Run(name, func(t *testing.T) {
			policy, err := ParsePolicy(v.Policy)
			if err != nil {
				t.Fatal(err)
			}
			r := Verify(policy, v.evidence(t))
			if r.Verdict != v.Verdict {
				t.Errorf("%s, expected %s", r.Verdict, v.Verdict)
			}
			written := asWritten(r)
			for _, c := range r.Checks {
				if !reflect.DeepEqual(written[c.Name], v.Checks[c.Name]) {
					t.Errorf("%s: %s (%s), expected %v", c.Name, c.Outcome, c.Reason, v.Checks[c.Name])
				}
			}
			if len(written) != len(v.Checks) {
				t.Errorf("%d checks, expected %d", len(written), len(v.Checks))
			}
		})
	}
}

// The file's order is the table's, which docs/verify.md has: tests/docs/agree.py compares that with C.
func TestOrderOfChecks(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "verify.md"))
	if err != nil {
		t.Fatal(err)
	}
	var documented, ours []string
	for _, line := range strings.Split(string(data), "\n") {
		if name, ok := strings.CutPrefix(line, "| `"); ok && len(documented) < len(checks) {
			documented = append(documented, name[:strings.Index(name, "`")])
		}
	}
	for _, c := range checks {
		ours = append(ours, c.name)
	}
	if !slices.Equal(documented, ours) {
		t.Errorf("documented: %v\nours: %v", documented, ours)
	}
}

// No byte of a certificate is free (each fifth is tried): what its quote does not cover, the CA's signature does.
func TestDamagedCertificates(t *testing.T) {
	v := loadVector(t, filepath.Join(vectorFolder, "good-certificate.json"))
	policy, err := ParsePolicy(v.Policy)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(v.Certificate); at += 5 {
		e := v.evidence(t)
		e.Certificate = slices.Clone(e.Certificate)
		e.Certificate[at] ^= 1
		if r := Verify(policy, e); r.Verdict == Verified {
			t.Fatalf("byte %d is free", at)
		}
	}
}

func TestPolicies(t *testing.T) {
	paths, _ := filepath.Glob(filepath.Join(policyFolder, "*.json"))
	if len(paths) < 40 {
		t.Fatalf("%d policies", len(paths))
	}
	for _, path := range paths {
		good := strings.HasPrefix(filepath.Base(path), "good-")
		if _, err := LoadPolicy(path); (err == nil) != good {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestPolicyErrorsNameThePlace(t *testing.T) {
	for text, word := range map[string]string{
		`{"format":"enclave-os-policy/1","mrsigner":"00"}`:                                           "mrsigner: expected 64 hex digits",
		`{"format":"enclave-os-policy/1","collateral":{"min":1}}`:                                    "collateral.min: there is no such member",
		`{"format":"enclave-os-policy/1","apps":[{"name":"a"},{"name":"a"}]}`:                        "apps: a stands twice",
		`{"format":"enclave-os-policy/1","apps":[{"name":"a","id":1}]}`:                              "apps.id: expected 32 hex digits",
		`{"format":"enclave-os-policy/1","limits":"a\u0000b"}`:                                       "limits: expected a string",
		`{"format":"enclave-os-policy/1","limits":"a","limits":"b"}`:                                 "a name that stands twice",
		`{"format":"enclave-os-policy/1"`:                                                            "no JSON as it should be",
		`{"mrsigner":null}`:                                                                          "mrsigner: expected 64 hex digits",
		`{}`:                                                                                         "format is missing",
		`{"format":"enclave-os-policy/1","administrators":[]}`:                                       "administrators: expected an object",
		`{"format":"enclave-os-policy/1","log":{"quorum":1}}`:                                        "log: quorum and max_age are of witnesses",
		`{"format":"enclave-os-policy/1","fresh":true}`:                                              "fresh: there is no such member",
		`{"format":"enclave-os-policy/1","extensions":{"1.2":"` + strings.Repeat("00", 1025) + `"}}`: `extensions: expected "OID"`,
	} {
		if _, err := ParsePolicy([]byte(text)); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%.80s: %v, expected %s", text, err, word)
		}
	}
}

func TestEgressIsNormalised(t *testing.T) {
	for text, normal := range map[string]string{
		"": "", "B.example,a.EXAMPLE": "a.example:443,b.example:443",
		"a.example:8443,a.example,a.example:443": "a.example:443,a.example:8443",
		"[2001:DB8::1],[::1]:8443,10.0.0.1":      "10.0.0.1:443,[2001:db8::1]:443,[::1]:8443",
		"*.example.org:8443":                     "*.example.org:8443", "a:65535,b:0443": "a:65535,b:443",
		",": "no", "a,": "no", ",a": "no", "a,,b": "no", "a b": "no", ":443": "no", "a:": "no", "a\nb": "no", "a:b": "no",
		"a:123456": "no", "a:0": "no", "a:65536": "no", "a:00000": "no", "a]": "no", "[::1": "no", "[]": "no", "::1": "no",
	} {
		if got, ok := normalEgress(text); ok == (normal == "no") || (ok && got != normal) {
			t.Errorf("%q: %q, %v", text, got, ok)
		}
	}
}

func TestJSON(t *testing.T) {
	deep := strings.Repeat("[", 16) + strings.Repeat("]", 16)
	for text, good := range map[string]bool{
		`{"a":[1,2.5e-1,-0,"\u0041\"",null,true,false,{}]}`: true, ` [] `: true, deep: true, "[" + deep + "]": false,
		``: false, `{`: false, `{"a"}`: false, `{"a":1,}`: false, `[1,]`: false, `[,1]`: false, `01`: false, `1.`: false, `-`: false,
		`"`: false, `"\x"`: false, `"\u12"`: false, "\"\x01\"": false, "\"\xff\"": false, "\"\xed\xa0\x80\"": false, `{"a":1,"a":2}`: false,
		`{"\u0061":1}`: false, `nul`: false, `[] []`: false, `{1:2}`: false, "\x00": false, "[1\x00]": false,
	} {
		if _, err := parseJSON([]byte(text)); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
	many := "[" + strings.Repeat("1,", jsonValues) + "1]"
	if _, err := parseJSON([]byte(many)); err == nil {
		t.Error("too many values are taken")
	}
	var object strings.Builder
	for i := range jsonMembers + 1 {
		fmt.Fprintf(&object, `,"%d":0`, i)
	}
	if _, err := parseJSON([]byte("{" + object.String()[1:] + "}")); err == nil {
		t.Error("too many members are taken")
	}
}
