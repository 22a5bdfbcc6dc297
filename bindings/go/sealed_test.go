package verifier

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func fromHex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The complete example of RFC 9458, appendix A, but for the sender's key, which stands there as what the KEM makes of it.
const (
	exampleSecret  = "3c168975674b2fa8e465970b79c8dcf09f1c741626480bd4c6162fc5b6a98e1a"
	exampleKeys    = "002d01002031e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e79815500080001000100010003"
	exampleRequest = "010020000100014b28f881333e7c164ffc499ad9796f877f4e1051ee6d31bad19dec96c208b4726374e469135906992e1268" +
		"c594d2a10c695d858c40a026e7965e7d86b83dd440b2c0185204b4d63525"
	examplePlain  = "00034745540568747470730b6578616d706c652e636f6d012f"
	exampleAnswer = "c789e7151fcba46158ca84b04464910d86f9013e404feea014e7be4a441f234f857fbd"
)

// opened is what the gateway has of a request: the same shared secret, by its own half.
func opened(t *testing.T, secret *ecdh.PrivateKey, message []byte) (plain []byte, answers *sealedRequest) {
	t.Helper()
	enc := message[7:39]
	sender, err := ecdh.X25519().NewPublicKey(enc)
	if err != nil {
		t.Fatal(err)
	}
	dh, err := secret.ECDH(sender)
	if err != nil {
		t.Fatal(err)
	}
	l := labelled{[]byte("KEM\x00\x20")}
	shared := l.expand(l.extract(nil, "eae_prk", dh), "shared_secret", append(bytes.Clone(enc), secret.PublicKey().Bytes()...), 32)
	h := schedule(shared, append([]byte("message/bhttp request\x00"), message[:7]...))
	if plain, err = gcm(h.key).Open(nil, h.nonce, message[39:], nil); err != nil {
		t.Fatal(err)
	}
	return plain, &sealedRequest{enc: enc, secret: h.export("message/bhttp response", 16)}
}

func TestExampleOfTheRFC(t *testing.T) {
	secret, err := ecdh.X25519().NewPrivateKey(fromHex(t, exampleSecret))
	if err != nil {
		t.Fatal(err)
	}
	plain, request := opened(t, secret, fromHex(t, exampleRequest))
	if hex.EncodeToString(plain) != examplePlain {
		t.Errorf("request: %x", plain)
	}
	if answer, err := request.open(fromHex(t, exampleAnswer)); err != nil || hex.EncodeToString(answer) != "0140c8" {
		t.Errorf("answer: %x, %v", answer, err)
	}
	if binary := writeBinary("GET", "example.com", "/", nil, nil); !bytes.HasPrefix(binary, fromHex(t, examplePlain)) {
		t.Errorf("binary request: %x", binary)
	}
	key, err := readKeyList(fromHex(t, exampleKeys))
	if err != nil || key.id != 1 || !key.key.Equal(secret.PublicKey()) {
		t.Fatalf("keys: %v, %v", key, err)
	}
	own, _ := ecdh.X25519().GenerateKey(rand.Reader)
	sealed, err := key.seal(own, []byte("a request"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, _ := opened(t, secret, sealed.message); string(plain) != "a request" {
		t.Errorf("there and back: %q", plain)
	}
	for i := range fromHex(t, exampleAnswer) {
		bent := fromHex(t, exampleAnswer)
		bent[i] ^= 1
		if _, err := request.open(bent); err == nil {
			t.Errorf("an answer that is bent at %d is taken", i)
		}
		if _, err := request.open(bent[:i]); err == nil {
			t.Errorf("an answer that is cut at %d is taken", i)
		}
	}
}

func TestKeyLists(t *testing.T) {
	public := "31e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e798155"
	for text, id := range map[string]int{
		"0004ff001001" + "0029070020" + public + "000400010001": 7, // one of another kind first
		"002d070020" + public + "00080001000200010001":          7,
		"0029070020" + public + "000400020001":                  -1,
		"0029070020" + public + "000400010003":                  -1,
		"":                                                      -1,
		"002d01":                                                -1,
		"0002ffff":                                              -1,
		"0025070020" + public + "0004":                          -1,
		"002b070020" + public + "000600010001ffff":              -1,
		"0029070020" + strings.Repeat("00", 32) + "000400010001": 7, // refused where it is used
		exampleKeys + exampleKeys:                                1,
		"0023070020" + public:                                    -1,
		"0029070020" + public + "0004000100":                     -1,
		"0029070020" + public + "000500010001":                   -1,
	} {
		key, err := readKeyList(fromHex(t, text))
		if (err == nil) != (id >= 0) || err == nil && int(key.id) != id {
			t.Errorf("%s: %v, %v", text, key, err)
		}
	}
	key, err := readKeyList(fromHex(t, "0029070020"+strings.Repeat("00", 32)+"000400010001"))
	if err != nil {
		t.Fatal(err)
	}
	own, _ := ecdh.X25519().GenerateKey(rand.Reader)
	if _, err = key.seal(own, nil); err == nil {
		t.Error("a request is encrypted to a point of small order")
	}
}

func TestBinaryResponses(t *testing.T) {
	for text, expected := range map[string]string{
		"0140c8":                            "200  ", // sections that are empty may be left out
		"0140c80000":                        "200  ",
		"0141940401610162" + "03616263":     "404 b abc",
		"0140c80401610162" + "036162630000": "200 b abc",
		"0140c80003616263" + "040161016200": "200  abc", // trailers, and padding
	} {
		status, header, content, err := readBinary(fromHex(t, text))
		if got := fmt.Sprintf("%d %s %s", status, header.Get("A"), content); err != nil || got != expected {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "00", "01", "014064", "0341", "0140c80161", "0140c800056162", "0140c80401610162" + "0541",
		"0140c80401410162", "0140c800000001", "0140c8040161010a00", "0144b00000", "0140c8ffffffffffffffff00"} {
		if status, _, content, err := readBinary(fromHex(t, text)); err == nil {
			t.Errorf("%s: %d %q", text, status, content)
		}
	}
	lines, content := []byte(nil), strings.Repeat("x", 20000)
	for i := range 300 {
		lines = appendCounted(appendCounted(lines, fmt.Sprint("a", i)), "v")
	}
	if _, ok := readLines(lines); ok {
		t.Error("300 fields are taken")
	}
	whole := append(appendCounted(append([]byte{1}, 0x40, 200), "\x01a\x01b"), appendCounted(nil, content)...)
	if status, header, got, err := readBinary(whole); err != nil || status != 200 || header.Get("A") != "b" || string(got) != content {
		t.Errorf("%d %v %d bytes, %v", status, header, len(got), err)
	}
}

// shownBy is what a server shows of a key that it has signed.
func shownBy(t *testing.T, key *ecdsa.PrivateKey, certificate []byte, keys string) string {
	t.Helper()
	list := fromHex(t, keys)
	c, k := sha256.Sum256(certificate), sha256.Sum256(list)
	digest := sha256.Sum256([]byte(strings.Repeat(" ", 64) + "enclave-os OHTTP key configuration, version 1\x00" + string(c[:]) + string(k[:])))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return fmt.Sprintf(`{"format":"enclave-os-ohttp-keys/1","certificate":"%s","keys":"%s","signature":"%s"}`, b64(certificate), b64(list), b64(signature))
}

// Nothing is sent to whoever shows a key that is not the enclave's.
func TestStrangersKeysAreRefused(t *testing.T) {
	cert := stranger(t)
	key := cert.PrivateKey.(*ecdsa.PrivateKey)
	other := stranger(t).PrivateKey.(*ecdsa.PrivateKey)
	good := shownBy(t, key, cert.Certificate[0], exampleKeys)
	var shown string
	posted := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posted++
		}
		io.WriteString(w, shown)
	}))
	defer server.Close()
	ask := func(text string) error {
		shown = text
		sealed, err := (&Client{Policy: policyOf(t, pinned)}).Sealed(server.Client().Transport, "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&http.Client{Transport: sealed}).Post(server.URL+"/hello", "text/plain", strings.NewReader("a secret"))
		return err
	}
	var refused *Error
	if err := ask(good); !errors.As(err, &refused) { // signed, by no enclave
		t.Errorf("a stranger's: %v", err)
	}
	for what, text := range map[string]string{
		"another's signature": shownBy(t, other, cert.Certificate[0], exampleKeys),
		"other keys":          strings.Replace(good, base64.RawURLEncoding.EncodeToString(fromHex(t, exampleKeys)), "AAAA", 1),
	} {
		if err := ask(text); !errors.Is(err, ErrSwapped) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, text := range []string{"", "{}", good[1:], strings.Replace(good, "keys/1", "keys/2", 1), strings.Replace(good, `"keys":"`, `"keys":"=`, 1),
		strings.Replace(good, `"signature":"`, `"signature":"","signature":"`, 1), strings.Repeat(" ", sealedEvidenceMax) + good} {
		if err := ask(text); err == nil || errors.As(err, &refused) {
			t.Errorf("%.60s: %v", text, err)
		}
	}
	if posted != 0 {
		t.Errorf("%d requests were sent to a stranger", posted)
	}
}

func TestSealedTransportsHaveRules(t *testing.T) {
	if _, err := (&Client{Policy: policyOf(t, "")}).Sealed(nil, ""); !errors.Is(err, ErrNobody) {
		t.Errorf("a policy that names nobody: %v", err)
	}
	if _, err := (&Client{Policy: policyOf(t, pinned).RequireFresh()}).Sealed(nil, ""); err == nil {
		t.Error("fresh evidence without a connection")
	}
	sealed, err := (&Client{Policy: policyOf(t, pinned)}).Sealed(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"http://127.0.0.1:1/", "https://127.0.0.1:1/"} {
		if _, err = (&http.Client{Transport: sealed}).Get(address); err == nil {
			t.Errorf("%s is answered", address)
		}
	}
	long := bytes.NewReader(make([]byte, sealedContentMax+1))
	if _, err = (&http.Client{Transport: sealed}).Post("https://127.0.0.1:1/", "text/plain", long); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a request that is too long: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = sealed.Result(ctx, "127.0.0.1:1"); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v", err)
	}
}
