package verifier

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"errors"
	"time"
	"unicode/utf8"
)

// DICE evidence (docs/attestation.md): a second quote in the certificate, over claims that name its key, its times and its other
// extensions. A certificate whose evidence holds says what its enclave said, whoever hands it over.

var oidDICE = asn1.ObjectIdentifier{2, 23, 133, 5, 4, 9}

const (
	diceTag       = 60000
	diceMin       = 256
	diceMax       = 8192
	diceClaimsMax = 512
	diceClaims    = 32

	cborUnsigned = 0
	cborBytes    = 2
	cborText     = 3
	cborArray    = 4
	cborMap      = 5
	cborTag      = 6
)

// cbor takes the head of the next item, which must be of this type, of definite length and in its shortest form.
func (r *reader) cbor(kind byte) uint64 {
	head := r.take(1)[0]
	low := head & 31
	if head>>5 != kind || low >= 28 {
		r.failed = true
		return 0
	}
	if low < 24 {
		return uint64(low)
	}
	size := 1 << (low - 24)
	number := uint64(0)
	for _, b := range r.take(size)[:size] {
		number = number<<8 | uint64(b)
	}
	if (size == 1 && number < 24) || (size > 1 && number>>(4*size) == 0) {
		r.failed = true
	}
	return number
}

func (r *reader) cborString(kind byte) []byte {
	size := r.cbor(kind)
	if r.failed || size > uint64(len(r.left)) {
		r.failed = true
		return nil
	}
	return r.take(int(size))
}

// whole says whether everything was there, and nothing more.
func (r *reader) whole() bool { return !r.failed && len(r.left) == 0 }

// dice is a certificate's evidence.
type dice struct {
	quote      []byte
	reportData []byte
	claims     map[string][]byte
	bindsTime  bool
	bindsAll   bool
}

func parseDICE(data []byte) (*dice, error) {
	if len(data) < diceMin || len(data) > diceMax {
		return nil, errors.New("it is shorter or longer than evidence may be")
	}
	r := &reader{left: data}
	if r.cbor(cborTag) != diceTag || r.cbor(cborArray) != 2 {
		return nil, errors.New("it is not a tagged quote with its claims")
	}
	quote, claims := r.cborString(cborBytes), r.cborString(cborBytes)
	if !r.whole() {
		return nil, errors.New("it is cut short, or goes on behind its claims")
	}
	if len(claims) > diceClaimsMax {
		return nil, errors.New("its claims are too long")
	}
	digest := sha256.Sum256(claims)
	d := &dice{quote: quote, reportData: append(digest[:], make([]byte, 32)...), claims: map[string][]byte{}}
	return d, d.readClaims(claims)
}

// diceSizes are those of the claims that are known; others are passed over.
var diceSizes = map[string]int{"pubkey-hash": 0, "merkle-root": 32, "generation": 8, "not-before": 8, "not-after": 8, "extensions": 32}

func (d *dice) readClaims(data []byte) error {
	r := &reader{left: data}
	count := r.cbor(cborMap)
	if r.failed {
		return errors.New("its claims are no map")
	}
	if count > diceClaims {
		return errors.New("it makes too many claims")
	}
	for range count {
		name, value := r.cborString(cborText), r.cborString(cborBytes)
		if r.failed || !utf8.Valid(name) {
			return errors.New("a claim is not a name with bytes")
		}
		size, known := diceSizes[string(name)]
		if _, twice := d.claims[string(name)]; known && twice {
			return errors.New("it makes a claim twice")
		}
		if known && size > 0 && len(value) != size {
			return errors.New("a claim has another length")
		}
		if known {
			d.claims[string(name)] = value
		}
	}
	if !r.whole() {
		return errors.New("something is behind its claims")
	}
	if d.claims["pubkey-hash"] == nil {
		return errors.New("it says nothing of a key (pubkey-hash)")
	}
	return nil
}

// namesKey judges the claim pubkey-hash, [algorithm, hash of the SubjectPublicKeyInfo].
func (d *dice) namesKey(spki []byte) bool {
	r := &reader{left: d.claims["pubkey-hash"]}
	pair, algorithm := r.cbor(cborArray), r.cbor(cborUnsigned)
	said := r.cborString(cborBytes)
	if !r.whole() || pair != 2 {
		return false
	}
	switch algorithm { // of IANA's "Named Information Hash Algorithm Registry"
	case 1:
		digest := sha256.Sum256(spki)
		return bytes.Equal(said, digest[:])
	case 7:
		digest := sha512.Sum384(spki)
		return bytes.Equal(said, digest[:])
	case 8:
		digest := sha512.Sum512(spki)
		return bytes.Equal(said, digest[:])
	}
	return false
}

// otherExtensions is SHA-256 over the DER of all extensions but the evidence.
func (c *certificate) otherExtensions() []byte {
	digest := sha256.New()
	for _, e := range c.extensions {
		if e.Id.Equal(oidDICE) {
			continue
		}
		der, err := asn1.Marshal(e)
		if err != nil {
			return nil
		}
		digest.Write(der)
	}
	return digest.Sum(nil)
}

// contradiction is "" if each claim is true of this certificate.
func (d *dice) contradiction(c *certificate) string {
	value := func(oid asn1.ObjectIdentifier) []byte {
		data, _ := c.extension(oid)
		return data
	}
	isTime := func(claim []byte, t time.Time) bool { return t.Unix() >= 0 && bigEndian(claim) == uint64(t.Unix()) }
	said := func(name string, agrees func(claim []byte) bool) bool {
		claim, there := d.claims[name]
		return !there || agrees(claim)
	}
	switch {
	case !d.namesKey(c.spki):
		return "its claims are about another key"
	case !said("merkle-root", func(claim []byte) bool { return bytes.Equal(claim, value(oidMerkleRoot)) }):
		return "its claims are about another configuration root"
	case !said("generation", func(claim []byte) bool { return bytes.Equal(claim, value(oidGeneration)) }):
		return "its claims are about another generation"
	case !said("not-before", func(claim []byte) bool { return isTime(claim, c.notBefore) }):
		return "its claims are about another NotBefore"
	case !said("not-after", func(claim []byte) bool { return isTime(claim, c.notAfter) }):
		return "its claims are about another NotAfter"
	case !said("extensions", func(claim []byte) bool { return bytes.Equal(claim, c.otherExtensions()) }):
		return "its claims are about other extensions"
	}
	return ""
}

// readDICE reads the certificate's evidence, if it has any.
func (v *verification) readDICE() {
	data, count := v.leaf.extension(oidDICE)
	if v.hasDICE = count > 0; !v.hasDICE {
		return
	}
	if count > 1 {
		v.diceWrong = "it stands more than once"
		return
	}
	d, err := parseDICE(data)
	if err != nil {
		v.diceWrong = err.Error()
		return
	}
	if v.diceWrong = d.contradiction(v.leaf); v.diceWrong != "" {
		return
	}
	d.bindsTime = d.claims["not-before"] != nil && d.claims["not-after"] != nil
	d.bindsAll = d.bindsTime && d.claims["extensions"] != nil
	v.dice = d
}

func (v *verification) checkDICE() {
	const check = "dice evidence"
	if !v.hasDICE {
		v.skip(check, "the certificate has none")
		return
	}
	if v.dice == nil {
		v.fail(check, "%s", v.diceWrong)
		return
	}
	if v.spkiHash == nil || v.quote == nil {
		return // it would prove something about nobody
	}
	if v.diceIsQuote && !v.passed("report data") {
		return
	}
	if !v.diceIsQuote {
		if problem := v.isAsGood(v.dice.quote, v.dice.reportData, "it is not over these claims"); problem != "" {
			v.fail(check, "%s", problem)
			return
		}
	}
	v.diceBound = v.dice.bindsAll
	switch {
	case v.dice.bindsAll:
		v.pass(check, "binds the key, both times and all other extensions")
	case v.dice.bindsTime:
		v.pass(check, "binds the key and both times; extensions: not bound")
	default:
		v.pass(check, "binds the key; extensions: not bound")
	}
}

// isAsGood is "" if a quote that must carry this ReportData is as good as the certificate's, and of the same enclave; else what
// is not, which is unbound where it carries something else.
func (v *verification) isAsGood(quote, reportData []byte, unbound string) string {
	alone := begin(v.policy, &Evidence{Collateral: v.evidence.Collateral, Time: v.now})
	alone.expected = reportData
	alone.checkQuote(quote)
	for _, c := range alone.Checks {
		if c.Outcome != Failed || v.failed(c.Name) {
			continue
		}
		if c.Name == "report data" {
			c.Reason = unbound
		}
		return c.Name + ": " + c.Reason
	}
	switch {
	case !alone.passed("report data"):
		return "its quote could not be judged"
	case !bytes.Equal(alone.MRENCLAVE, v.MRENCLAVE) || !bytes.Equal(alone.MRSIGNER, v.MRSIGNER) || alone.ProdID != v.ProdID ||
		alone.SVN != v.SVN || alone.Debug != v.Debug:
		return "it is another enclave's than the certificate's quote"
	}
	return ""
}
