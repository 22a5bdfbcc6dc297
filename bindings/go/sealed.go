package verifier

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	sealedContentMax  = 1 << 20 // of a request: no server takes more in this form
	sealedAnswerMax   = 6 << 20
	sealedEvidenceMax = 64 << 10
	sealedFormat      = "enclave-os-ohttp-keys/1"
	sealedSaid        = "enclave-os OHTTP key configuration, version 1\x00"
	problemTypes      = "https://iana.org/assignments/http-problem-types#"
	sealedAttempts    = 2 // a key may be replaced between its coming and its use
)

// Sealed is an http.RoundTripper for enclaves behind others who terminate TLS, such as a CDN: each request is encrypted to the
// enclave itself (Oblivious HTTP, docs/protocol.md), by a key that is signed by the key of a certificate, which the policy
// judges as that of a handshake. Who carries it sees that something is asked, and nothing of it. Requests and answers are whole,
// redirects are the caller's, and evidence for one connection cannot be had. Any number of goroutines may use it.
type Sealed struct {
	client  *Client
	carrier http.RoundTripper
	relay   string
	mutex   sync.Mutex
	keys    map[string]*judgedKey // by authority
}

// judgedKey is a key of an enclave that was judged, and what came of it.
type judgedKey struct {
	*sealedKey
	result *Result
	until  time.Time
}

// Sealed makes a transport by this client's policy. carrier brings the encrypted bytes (nil: http.DefaultTransport), to the
// relay, an https URL ("": the server's own gateway).
func (c *Client) Sealed(carrier http.RoundTripper, relay string) (*Sealed, error) {
	if !c.Policy.NamesInstance() {
		return nil, ErrNobody
	}
	if c.Policy.requireFresh {
		return nil, errors.New("fresh evidence is of a connection, and here is none")
	}
	if carrier == nil {
		carrier = http.DefaultTransport
	}
	return &Sealed{client: c, carrier: carrier, relay: relay, keys: map[string]*judgedKey{}}, nil
}

// errStale: the key is not known there, or no more, and nothing was done.
var errStale = errors.New("the enclave does not know the key that was shown for it: whoever is in between shows an old one, or replaces it")

// ErrSwapped is said of a key that somebody else has put in the place of the enclave's.
var ErrSwapped = errors.New("the key configuration is not signed by the certificate's key")

// ---- what carries it ----------------------------------------------------------------------------------------------------

// carry asks in the clear: the status, and the body.
func (s *Sealed) carry(ctx context.Context, method, address, kind string, body []byte, limit int) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	answer, err := s.carrier.RoundTrip(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	data, err := readAll(answer.Body, limit)
	return answer.StatusCode, data, err
}

func isProblem(body []byte, kind string) bool {
	all, err := parseJSON(body)
	if err != nil {
		return false
	}
	text, _ := all.any("type").text()
	return text == problemTypes+kind
}

// exchange sends a binary request under the key and gives the answer to it.
func (s *Sealed) exchange(ctx context.Context, key *sealedKey, authority string, plain []byte) (int, http.Header, []byte, error) {
	own, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return 0, nil, nil, err
	}
	sealed, err := key.seal(own, plain)
	if err != nil {
		return 0, nil, nil, err
	}
	relay := s.relay
	if relay == "" {
		relay = "https://" + authority + "/_enclave/ohttp"
	}
	status, body, err := s.carry(ctx, http.MethodPost, relay, "message/ohttp-req", sealed.message, sealedAnswerMax)
	if err != nil {
		return 0, nil, nil, err
	}
	if status == http.StatusBadRequest && isProblem(body, "ohttp-key") {
		return 0, nil, nil, errStale
	}
	if status != http.StatusOK {
		return 0, nil, nil, fmt.Errorf("%s does not pass it on: %d", relay, status)
	}
	if body, err = sealed.open(body); err != nil {
		return 0, nil, nil, err
	}
	return readBinary(body)
}

// ---- the enclave's key --------------------------------------------------------------------------------------------------

// shownKey is what shows whose a key configuration is.
type shownKey struct{ certificate, keys, signature []byte }

func readShown(text []byte) (*shownKey, error) {
	all, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	if format, _ := all.any("format").text(); format != sealedFormat {
		return nil, errors.New("not of the format " + sealedFormat)
	}
	shown := &shownKey{}
	for name, to := range map[string]*[]byte{"certificate": &shown.certificate, "keys": &shown.keys, "signature": &shown.signature} {
		text, _ := all.any(name).text()
		if *to, err = base64.RawURLEncoding.Strict().DecodeString(text); err != nil || text == "" {
			return nil, fmt.Errorf("its %s is malformed", name)
		}
	}
	return shown, nil
}

// isSigned says whether who has the certificate's key says that the key configuration is his: what a handshake's signature is.
func (s *shownKey) isSigned(leaf *certificate) bool {
	certificate, keys := sha256.Sum256(s.certificate), sha256.Sum256(s.keys)
	digest := sha256.New()
	io.WriteString(digest, strings.Repeat(" ", 64)+sealedSaid)
	digest.Write(certificate[:])
	digest.Write(keys[:])
	return leaf.key != nil && ecdsa.VerifyASN1(leaf.key, digest.Sum(nil), s.signature)
}

// keyOf gets the key of an enclave, and judges it; it keeps those that are good.
func (s *Sealed) keyOf(ctx context.Context, authority string, anew bool) (*judgedKey, error) {
	s.mutex.Lock()
	known := s.keys[authority]
	s.mutex.Unlock()
	if known != nil && !anew && time.Now().Before(known.until) {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout())
	defer cancel()
	status, body, err := s.carry(ctx, http.MethodGet, "https://"+authority+"/_enclave/ohttp-keys/evidence", "", nil, sealedEvidenceMax)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s: its key: it answers %d", authority, status)
	}
	shown, err := readShown(body)
	if err != nil {
		return nil, fmt.Errorf("%s: what shows its key: %w", authority, err)
	}
	judged, err := s.judge(ctx, authority, shown)
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	s.keys[authority] = judged
	s.mutex.Unlock()
	return judged, nil
}

// page asks for one of the server's own pages under the key, so that it is of the generation that the key stands for.
func (s *Sealed) page(ctx context.Context, key *sealedKey, authority, path string, limit int) ([]byte, error) {
	status, _, content, err := s.exchange(ctx, key, authority, writeBinary(http.MethodGet, authority, path, nil, nil))
	switch {
	case err != nil:
		return nil, err
	case status >= 500:
		return nil, fmt.Errorf("%s: it answers %d", path, status)
	case status != http.StatusOK:
		return nil, fmt.Errorf("%s: it answers %d: %w", path, status, ErrNotFound)
	case len(content) > limit:
		return nil, fmt.Errorf("%s: it is too long", path)
	}
	return content, nil
}

func (s *Sealed) judge(ctx context.Context, authority string, shown *shownKey) (*judgedKey, error) {
	c, e := s.client, &Evidence{Certificate: shown.certificate}
	leaf, err := parseCertificate(shown.certificate)
	if err != nil || !shown.isSigned(leaf) {
		return nil, fmt.Errorf("%s: %w", authority, ErrSwapped)
	}
	key, err := readKeyList(shown.keys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", authority, err)
	}
	e.Live = true // what was signed names certificate and key together
	if e.Collateral, err = c.collateral(ctx, e.Certificate); err != nil {
		return nil, fmt.Errorf("collateral: %w", err)
	}
	get := func(path string, limit int) ([]byte, error) { return s.page(ctx, key, authority, path, limit) }
	if c.Policy.NeedsManifest() {
		if e.Manifest, err = get("/_enclave/manifest", documentMax); err != nil && !errors.Is(err, ErrNotFound) {
			return nil, fmt.Errorf("the manifest: %w", err)
		}
	}
	r, err := c.conclude(e, get)
	if err != nil {
		return nil, err
	}
	return &judgedKey{key, r, leaf.notAfter}, nil
}

// ---- requests -----------------------------------------------------------------------------------------------------------

// Result gets the server's key, if there is none yet, and says what came of judging it.
func (s *Sealed) Result(ctx context.Context, authority string) (*Result, error) {
	key, err := s.keyOf(ctx, authority, false)
	if err != nil {
		return nil, err
	}
	return key.result, nil
}

// safe are methods that change nothing: their requests need no time.
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// RoundTrip sends a request of at most 1 MiB, once the key of its enclave was judged. The error of an enclave that was refused is
// an *Error, or ErrSwapped.
func (s *Sealed) RoundTrip(request *http.Request) (*http.Response, error) {
	var content []byte
	if request.Body != nil {
		var err error
		content, err = readAll(request.Body, sealedContentMax)
		request.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("the request's body: %w", err)
		}
	}
	if request.URL.Scheme != "https" {
		return nil, errors.New("nothing is sent to servers that are not verified")
	}
	authority := request.URL.Host
	for attempt := 1; ; attempt++ {
		key, err := s.keyOf(request.Context(), authority, attempt > 1)
		if err != nil {
			return nil, err
		}
		answer, err := s.ask(request, key.sealedKey, content)
		if !errors.Is(err, errStale) || attempt == sealedAttempts {
			return answer, err
		}
	}
}

// ask sends it under one key, and once more by the enclave's clock, if that refuses ours: nothing was done then.
func (s *Sealed) ask(request *http.Request, key *sealedKey, content []byte) (*http.Response, error) {
	header := request.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	method, host := cmp.Or(request.Method, http.MethodGet), cmp.Or(request.Host, request.URL.Host)
	if !safe(method) {
		header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	for corrected := false; ; corrected = true {
		plain := writeBinary(method, host, request.URL.RequestURI(), header, content)
		status, fields, body, err := s.exchange(request.Context(), key, request.URL.Host, plain)
		if err != nil {
			return nil, err
		}
		if date := fields.Get("Date"); status == http.StatusBadRequest && isProblem(body, "date") && date != "" && !corrected {
			header.Set("Date", date)
			continue
		}
		return &http.Response{Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status, Proto: "HTTP/1.1",
			ProtoMajor: 1, ProtoMinor: 1, Header: fields, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
			Request: request}, nil
	}
}
